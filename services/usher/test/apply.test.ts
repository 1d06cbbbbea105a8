// `usher queue apply` and `set` where somebody else changes a queue in between: nothing is written over, and the story
// is told.

import { expect, onTestFinished, test, vi } from "vitest";
import { carryOut, plansFor } from "../src/cli/queue/apply.ts";
import { changesOf } from "../src/cli/queue/changes.ts";
import { revisionOf, unlessConflict } from "../src/cli/queue/conflict.ts";
import { historyText } from "../src/cli/queue/history.ts";
import { parseQueues } from "../src/config/queues-file.ts";
import { Conflict } from "../src/failure.ts";
import { openNode, type TestNode } from "./support/node.ts";

const FILE = `
queues:
  first: { kind: pass, limit: { max_active: 2 }, max_wait: 1h }
  second: { kind: pass, limit: { max_active: 3 }, max_wait: 1h }
  third: { kind: pass, limit: { max_active: 4 }, max_wait: 1h }
`;

/** What the program says meanwhile. */
function hearing(): string[] {
  const said: string[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  onTestFinished(() => spy.mockRestore());
  return said;
}

async function openWithQueues(): Promise<TestNode> {
  const node = await openNode();
  for (const name of ["first", "second", "third"]) await node.makeQueue(name);
  return node;
}

async function interfere({ client }: TestNode, queue: string, reason: string): Promise<void> {
  const { queue: before } = await client.getQueue({ queue });
  const change = { settings: { notice: "Back at ten." }, updateMask: { paths: ["notice"] } };
  await client.updateQueue({ ...change, queue, etag: before?.etag ?? "", reason });
}

test("a queue that was changed after it was shown is left as it is, and so are those after it", async () => {
  const node = await openWithQueues();
  const plans = await plansFor(node.client, parseQueues(FILE, "queues.yaml"), "queues.yaml");
  expect(plans.map(({ name, differing }) => [name, differing])).toEqual(
    ["first", "second", "third"].map((name) => [name, ["max_active"]]),
  );
  await interfere(node, "second", "it was quicker");
  const said = hearing();
  const applying = carryOut(node.client, plans, "more room");
  await expect(applying).rejects.toThrow(Conflict);
  await expect(applying).rejects.toThrow(
    /^queue second was changed meanwhile, and nothing of this change was applied:\n {2}.*Z, somebody at ann: notice "" → "Back at ten\." \("it was quicker"\)\n {2}Look at it/,
  );
  expect(said).toEqual(["usher: queue first: applied\n", "usher: first had been applied before this:\n"]);
  const rooms = ["first", "second", "third"].map(
    (name) => node.replica.fold.queue(name)?.settings.max_active,
  );
  expect(rooms).toEqual([2, 1, 1]);
});

test("of many changes in between, the last are told and the others counted", async () => {
  const node = await openWithQueues();
  const { queue } = await node.client.getQueue({ queue: "first" });
  for (let n = 1; n <= 8; n++) await interfere(node, "first", `change ${n}`);
  const late = unlessConflict(node.client, { queue: "first", etag: queue?.etag ?? "" }, () =>
    node.client.updateQueue({
      ...{ queue: "first", etag: queue?.etag, reason: "too late" },
      ...{ settings: { attempts: 3 }, updateMask: { paths: ["attempts"] } },
    }),
  );
  const words = await late.then(() => "it was made", String);
  expect(words).toMatch(/3 earlier changes, and then\n/);
  expect(words.match(/"change \d"/g)).toEqual([4, 5, 6, 7, 8].map((n) => `"change ${n}"`));
});

test("what is no conflict stays what it is", async () => {
  const { client } = await openWithQueues();
  const refused = unlessConflict(client, { queue: "first", etag: "x" }, () =>
    client.updateQueue({ queue: "first", reason: "" }),
  );
  await expect(refused).rejects.not.toThrow(Conflict);
  expect([revisionOf("0123456789abcdef-12"), revisionOf("12"), revisionOf("")]).toEqual([
    12,
    undefined,
    undefined,
  ]);
});

test("a history has what took effect alone, and nothing in it that a terminal obeys", async () => {
  const node = await openWithQueues();
  const settings = node.replica.fold.queue("first")?.settings;
  if (settings === undefined) throw new Error("the queue is not there");
  const change = { revision: 2, reason: "\u001b[2Jgone \u202eback", actor: "key:\u0007bell" };
  await node.replica.configure("first", { ...settings, notice: "\u009b2J" }, change);
  await node.replica.configure("first", { ...settings, attempts: 9 }, { ...change, reason: "too late" });
  const history = await changesOf(node.client, "first");
  expect(history.changes.map(({ revision, actor }) => [revision, actor])).toEqual([
    [1, "node:ann"],
    [2, "key:\u0007bell"],
  ]);
  const text = historyText(history);
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(text).toMatch(/\\u\{1b\}\[2Jgone \\u\{202e\}back$/);
});
