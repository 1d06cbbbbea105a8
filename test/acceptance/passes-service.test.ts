// The service of docs/passes.md, run as it stands there: it takes passes, and nothing else, at a door of its own.

import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Forger } from "../support/passes.ts";
import { Program } from "../support/program.ts";
import { codeBlock } from "../support/readme.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const root = resolve(import.meta.dirname, "../..");

let shop: Service;
let usher: Usher;
let folder: string;
let program: Program;
/** The door of the service that stands in the documentation. */
let url: string;
let forger: Forger;

beforeAll(async () => {
  shop = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: ${shop.url} }, till: { url: ${shop.url} } }
queues:
  checkout: { kind: pass, limit: { max_active: 10 }, session: 10m, max_wait: 2h }
  fitting: { kind: pass, limit: { max_active: 10 }, max_wait: 2h }
  cashier: { kind: pass, limit: { max_active: 10 }, max_wait: 2h }
routes:
  - { match: /checkout/*, service: shop, queue: checkout }
  - { match: /fitting, service: shop, queue: fitting }
  - { match: /cashier, service: till, queue: cashier }
`,
    demo: true,
  });
  forger = await Forger.of(usher, await passFor("/checkout"));
  folder = await mkdtemp(join(tmpdir(), "usher-passes-"));
  // Where its libraries are found.
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const text = codeBlock(await readFile(join(root, "docs/passes.md"), "utf8"), "js", "// service.mjs");
  const here = text
    .replace("http://localhost:8080", usher.gatewayUrl)
    .replace("server.listen(3000);", 'server.listen(0, () => console.log("port", server.address().port));');
  await writeFile(join(folder, "service.mjs"), here);
  program = new Program(join(folder, "service.mjs"));
  url = `http://127.0.0.1:${(await program.says(/port (\d+)/))[1]}`;
});
afterAll(async () => {
  await program?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  await usher?.stop();
  await shop?.stop();
});

/** The pass of a newcomer. */
async function passFor(path: string): Promise<string> {
  const answer = await fetch(`${usher.gatewayUrl}${path}`);
  expect(answer.status).toBe(200);
  return answer.headers.get("usher-pass") ?? "";
}

async function ask(pass: string | undefined): Promise<[status: number, text: string]> {
  const answer = await fetch(url, { headers: pass === undefined ? {} : { "usher-pass": pass } });
  return [answer.status, await answer.text()];
}

function secondsFromNow(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

function signedByAnother(): string {
  const text = forger.unsigned();
  const { privateKey } = generateKeyPairSync("ed25519");
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
}

test("a pass is taken, as is one whose end is no longer past than clocks may differ", async () => {
  const served = [200, `hello, ${forger.claims.sub}\n`];
  expect(await ask(forger.pass)).toEqual(served);
  expect(await ask(forger.signed({}, { exp: secondsFromNow(-10) }))).toEqual(served);
});

test.each<[string, () => string | undefined | Promise<string>]>([
  ["no pass", () => undefined],
  ["the pass of another queue before the same service", () => passFor("/fitting")],
  ["the pass of another service", () => passFor("/cashier")],
  ["a pass that is over", () => forger.signed({}, { exp: secondsFromNow(-60) })],
  ["a pass without an end", () => forger.signed({}, { exp: undefined })],
  ["another kind of token", () => forger.signed({ typ: "JWT" })],
  ["a token of another issuer", () => forger.signed({}, { iss: "somebody" })],
  ["a pass for another service, signed all the same", () => forger.signed({}, { aud: ["till"] })],
  ["a pass that somebody else has signed", signedByAnother],
  ["a pass without a signature", () => `${forger.unsigned({ alg: "none" })}.`],
])("%s is not taken", async (_, make) => {
  expect(await ask(await make())).toEqual([403, "not without a pass\n"]);
});
