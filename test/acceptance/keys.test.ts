// Keys that are rotated while people wait, on a node that runs: by the command line, in the file, and without anybody
// noticing; and a leaked API key, gone.

import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseKeys } from "@usher/replica";
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONNECT, callerOf, NATIVE, type QueueClient, refusalOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { runUsher, startUsher, type Usher } from "../support/usher.ts";

let service: Service;
let usher: Usher;
let file: string;
/** With the first API key, which is not revoked before the last test. */
let backend: QueueClient;

beforeAll(async () => {
  service = await startService((res, { headers }) => {
    res.end(`answer to ticket ${headers["usher-ticket"] ?? "none"}`);
  });
  usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, mode: paused, limit: { max_active: 10 }, max_wait: 30m }
  sale: { kind: pass, limit: { max_active: 100 }, max_wait: 30m }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s }
  - { match: /sale/*, service: shop, queue: sale }
`,
  });
  file = join(usher.data, "usher.keys.json");
  backend = clientWith(usher.apiKey);
});

afterAll(async () => {
  await usher?.stop();
  await service?.stop();
});

function clientWith(apiKey: string): QueueClient {
  return callerOf(usher, NATIVE, { "usher-api-key": apiKey });
}

/** Runs `usher keys …`, and returns what it gave. */
async function keys(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runUsher(["keys", ...args, "--keys", file]);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

/** Resolves when the node has said that it has read of this. */
async function heard(text: string): Promise<void> {
  await eventually(() => expect(usher.output()).toMatch(new RegExp(`read again: .*${text}`)));
}

/** Puts a new key of a kind into use, on the node too. */
async function rotate(kind: "tag" | "encryption" | "signing"): Promise<string> {
  const id = await keys("rotate", kind, "--in", "0s");
  await heard(`new ${kind}: ${id}`);
  return id;
}

/** A request that is stored, and the address of its ticket. */
async function order(): Promise<string> {
  const answer = await fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body: "one seat" });
  expect(answer.status).toBe(202);
  return answer.headers.get("location") ?? "";
}

async function place(location: string): Promise<unknown> {
  const answer = await fetch(`${usher.gatewayUrl}${location}`, { redirect: "manual" });
  expect(answer.status).toBe(200);
  return answer.json();
}

async function admitted(): Promise<string> {
  const { status } = await backend.issue({ queue: "sale" });
  expect(status?.pass).toMatch(/^ey/);
  return status?.pass ?? "";
}

/** Whether the holder of the pass is let through with it, and not as somebody new. */
async function through(pass: string): Promise<boolean> {
  const answer = await fetch(`${usher.gatewayUrl}/sale/seats`, { headers: { "usher-pass": pass } });
  await answer.arrayBuffer();
  // The service gets the pass as it would be minted now, of the same ticket.
  const sent = service.seen.at(-1)?.headers["usher-pass"];
  return answer.status === 200 && typeof sent === "string" && decodeJwt(sent).sub === decodeJwt(pass).sub;
}

describe("while people wait", () => {
  test("a new tag key leaves every token good, and tags the next ones", async () => {
    const old = await order();
    await rotate("tag");
    const young = await order();
    expect(await place(old)).toMatchObject({ ticket: { position: 1 } });
    expect(await place(young)).toMatchObject({ ticket: { position: 2 } });
  });

  test("a new encryption key leaves what is stored readable, and seals what comes next", async () => {
    const old = await order();
    await rotate("encryption");
    const young = await order();
    const set = await runUsher([
      ...["queue", "set", "orders", "--mode", "queue_all", "--reason", "enough seen"],
      ...["--url", usher.gatewayUrl, "--keys", file],
    ]);
    expect(set.code, set.stderr).toBe(0);
    for (const location of [old, young])
      await eventually(async () => {
        const answer = await fetch(`${usher.gatewayUrl}${location}`);
        expect(await answer.text()).toMatch(/^answer to ticket \d+$/);
      });
  });

  test("a new signing key leaves every pass good, and both are found by who checks passes alone", async () => {
    const old = await admitted();
    const id = await rotate("signing");
    const young = await admitted();
    const jwks = createRemoteJWKSet(new URL("/_usher/jwks.json", usher.gatewayUrl));
    const kids = [];
    for (const pass of [old, young]) {
      const { protectedHeader } = await jwtVerify(pass, jwks, { issuer: "usher", audience: "shop" });
      kids.push(protectedHeader.kid);
      expect(await through(pass)).toBe(true);
    }
    expect(kids).toEqual([expect.not.stringMatching(id), id]);
  });

  test("a new API key is good, of the same caller, and the former until it is revoked", async () => {
    const key = await keys("rotate", "api");
    await heard("new api key: default-2");
    const once = { queue: "sale", idempotencyKey: "the same order, sent twice" };
    const before = await backend.issue(once);
    const after = await clientWith(key).issue(once);
    expect([after.existing, after.status?.ticket?.id]).toEqual([true, before.status?.ticket?.id]);

    await keys("revoke", "default");
    await heard("api key no longer good: default");
    expect(await refusalOf(backend.issue({ queue: "sale" }))).toMatchObject({ reason: "API_KEY_REQUIRED" });
    const onTheGateway = callerOf(usher, CONNECT, { "usher-api-key": usher.apiKey });
    expect(await refusalOf(onTheGateway.issue({ queue: "sale" }))).toMatchObject({
      reason: "API_KEY_REQUIRED",
    });
    backend = clientWith(key);
    expect((await backend.issue(once)).existing).toBe(true);
  });

  test("keys that were superseded long enough ago are removed, and what they made is no good", async () => {
    const old = await admitted();
    await rotate("signing");
    const young = await admitted();
    await keys("prune", "--older-than", "31d");
    expect(await through(old)).toBe(true);
    await keys("prune", "tag", "--older-than", "0s");
    await heard("tag no longer good");
    expect(await through(old)).toBe(true);
    await keys("prune", "signing", "--older-than", "0s");
    await heard("signing no longer good");
    expect(await through(old)).toBe(false);
    expect(await through(young)).toBe(true);
  });
});

describe("a file that is no good", () => {
  test.each<[string, (text: string) => string | Promise<string>, RegExp]>([
    ["broken", () => "{", /it is not JSON.*used on/],
    ["of another deployment", otherKeys, /"hash" is another one.*used on/],
  ])("%s is not used: the keys of before are, and that is said once", async (_, spoil, words) => {
    const text = await readFile(file, "utf8");
    const said = usher.output().length;
    await writeFile(file, await spoil(text));
    await eventually(() => expect(usher.output().slice(said)).toMatch(words));
    expect((await backend.issue({ queue: "sale" })).token).not.toBe("");
    await writeFile(file, text);
    await eventually(() => expect(usher.output().slice(said)).toMatch(/the keys are the same/));
    expect(
      usher
        .output()
        .slice(said)
        .match(/used on/g),
    ).toHaveLength(1);
  });

  async function otherKeys(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "usher-other-"));
    try {
      const other = join(folder, "keys.json");
      expect((await runUsher(["init", "--keys", other])).code).toBe(0);
      return await readFile(other, "utf8");
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test("that others can read is used, with a warning", async () => {
    await chmod(file, 0o644);
    await eventually(() =>
      expect(usher.output()).toMatch(/others than its owner may read the keys \(mode 0644\)/),
    );
    await chmod(file, 0o600);
  });
});

describe("what is said of keys", () => {
  test("holds no secret, but for a new API key, once", async () => {
    const text = await readFile(file, "utf8");
    const { hash, tag, encryption, signing, api_keys } = parseKeys(text, file);
    const secrets = [hash, ...[tag, encryption, signing].flat().map(({ secret }) => secret)];
    const list = await keys("list");
    for (const { id } of [...tag, ...encryption, ...signing, ...api_keys]) expect(list).toContain(id);
    for (const said of [list, usher.output()]) {
      for (const secret of secrets) expect(said).not.toContain(secret.toString("base64url"));
      for (const { key } of api_keys) expect(said).not.toContain(key);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test.each<[readonly string[], number, RegExp]>([
    [["rotate", "hash"], 2, /give one of signing, tag, encryption, api/],
    [["rotate", "api", "--in", "2m"], 2, /good at once: leave --in out/],
    [["rotate", "tag", "--caller", "till"], 2, /--caller goes with api alone/],
    [["rotate", "tag", "--id", "a/b"], 1, /is not an id/],
    [["revoke", "nobody"], 1, /there is no API key "nobody"; there are: default-2/],
    [["prune", "--older-than", "soon"], 2, /not a duration/],
  ])("%j is refused in words that help", async (args, code, words) => {
    const before = await readFile(file, "utf8");
    const refused = await runUsher(["keys", ...args, "--keys", file]);
    expect([refused.code, refused.stdout]).toEqual([code, ""]);
    expect(refused.stderr).toMatch(words);
    expect(await readFile(file, "utf8")).toBe(before);
  });
});
