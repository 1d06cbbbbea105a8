// Two nodes on one log that learn of a new key at different moments: what either makes, the other takes.

import { MemoryStore } from "@usher/ticket-log";
import { expect, it } from "vitest";
import {
  Access,
  API_KEY_HEADER,
  addApiKey,
  freshKeys,
  type Keys,
  LiveKeys,
  revokeApiKey,
  rotateKey,
} from "../src/index.ts";
import { SILENCE_MS } from "../src/places.ts";
import { clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** When the new keys come into use, in ms after they are made; and when the second node learns of them. */
const IN_MS = 60_000;
const LATER_MS = 20_000;

interface Node extends World {
  readonly keys: LiveKeys;
}

/** Both with these keys, and a queue in which all are admitted. */
async function nodes(keys: Keys): Promise<[Node, Node]> {
  const store = new MemoryStore({ shared: true });
  const node = async (name: string): Promise<Node> => {
    const live = new LiveKeys(keys);
    const world = await openWorld({ store, node: name, keys: live });
    await pass(1_000);
    return { ...world, keys: live };
  };
  const [a, b] = [await node("a"), await node("b")];
  await makeQueue(a, "sale", { max_active: 1_000 });
  await turns();
  return [a, b];
}

interface Made {
  readonly by: Node;
  readonly token: string;
  readonly pass: string;
  readonly origin: { readonly session: bigint; readonly sequence: number };
}

/** A ticket, with all that is made for it. */
async function made(by: Node): Promise<Made> {
  const store = { details: { subject: "ann", attributes: {} } };
  const issued = await issue(by, "sale", { caller: { id: "key:a", trusted: true }, store });
  await turns();
  const text = by.replica.passes.mint(issued);
  if (text === undefined) throw new Error("nobody was admitted");
  return { by, token: issued.token, pass: text, origin: issued.view.origin };
}

/** What a node can do with it. */
async function taken({ replica }: Node, { token, pass, origin }: Made) {
  return {
    token: replica.tokens.verify(token) !== undefined,
    pass: (await replica.passes.held(pass, "sale")) !== undefined,
    payload: (await replica.payloads.readDetails(origin))?.subject === "ann",
  };
}

const ALL = { token: true, pass: true, payload: true };
const NONE = { token: false, pass: false, payload: false };

/** All three kinds anew. */
function rotated(keys: Keys, use_from_ms: number): Keys {
  return (["tag", "encryption", "signing"] as const).reduce(
    (all, kind) => rotateKey(all, kind, { use_from_ms }).keys,
    keys,
  );
}

it("a key that is known everywhere before it is used hurts nobody, at any moment", async () => {
  const keys = freshKeys();
  const [a, b] = await nodes(keys);
  const all: Made[] = [];
  const check = async () => {
    all.push(await made(a), await made(b));
    for (const one of all) for (const node of [a, b]) expect(await taken(node, one)).toEqual(ALL);
  };
  await check();
  const next = rotated(keys, Date.now() + IN_MS);
  a.keys.replace(next);
  await check();
  await pass(LATER_MS);
  await check();
  b.keys.replace(next);
  await check();
  await pass(IN_MS);
  await check();
  const heads = new Set(all.map(({ pass }) => pass.split(".")[0]));
  expect(heads.size).toBe(2);
});

it("a key that is used before a node knows it is no use there, until it does", async () => {
  const keys = freshKeys();
  const [a, b] = await nodes(keys);
  const old = await made(b);
  const next = rotated(keys, Date.now());
  a.keys.replace(next);
  const young = await made(a);
  expect(await taken(a, young)).toEqual(ALL);
  expect(await taken(b, young)).toEqual(NONE);
  b.keys.replace(next);
  for (const node of [a, b]) for (const one of [old, young]) expect(await taken(node, one)).toEqual(ALL);
});

it("a stream ends with the next thing that it would have told, once its API key is revoked", async () => {
  const keys = freshKeys();
  const [a] = await nodes(keys);
  const { queue, admin } = clientsOf(a, { [API_KEY_HEADER]: keys.api_keys[0]?.key ?? "" });
  await makeQueue(a, "line", { mode: "paused" });
  const { token } = await issue(a, "line", { caller: { id: "key:a", trusted: true } });
  await turns();
  const streams = [
    queue.watchAdmissions({ queue: "sale" }),
    queue.watchPosition({ token }),
    admin.readLog({ follow: true }),
  ];
  const reading = streams.map((stream) => (stream as AsyncIterable<unknown>)[Symbol.asyncIterator]());
  await made(a);
  for (const stream of reading) expect((await stream.next()).done).toBe(false);
  a.keys.replace(revokeApiKey(addApiKey(keys, {}).keys, "default"));
  const ends = reading.map((stream) => refusalOf(stream.next()));
  await made(a);
  // A place that stays the same is told again before a proxy would cut the stream.
  await pass(SILENCE_MS + 1_000);
  for (const end of ends) expect(await end).toMatchObject({ reason: "API_KEY_REQUIRED" });
});

it("an API key of the same caller is the same caller's, and a revoked one is nobody's", async () => {
  const keys = freshKeys();
  const [a] = await nodes(keys);
  const access = new Access({ keys: a.keys, hashes: a.replica.hashes, require: "all" });
  const by = (key: string | undefined) => access.backend(new Headers({ [API_KEY_HEADER]: key ?? "" }));
  const [former] = keys.api_keys;
  const before = by(former?.key);
  const { keys: both, added } = addApiKey(keys, {});
  expect(() => by(added.key)).toThrow(expect.objectContaining({ reason: "API_KEY_REQUIRED" }));
  a.keys.replace(both);
  expect([by(former?.key), by(added.key)]).toEqual([before, before]);
  a.keys.replace(revokeApiKey(both, "default"));
  expect(() => by(former?.key)).toThrow(expect.objectContaining({ reason: "API_KEY_REQUIRED" }));
  expect(by(added.key)).toEqual(before);
});
