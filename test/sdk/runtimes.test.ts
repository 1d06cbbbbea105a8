// The client on the runtimes that it says it runs on: the same program, with the client as it is packed, on each of them,
// before a real gateway.

import { generateKeyPairSync, sign } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BackendClient, createClient } from "@usher/sdk";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { Forger } from "../support/passes.ts";
import { Program } from "../support/program.ts";
import { RUNTIME_NAMES, RUNTIMES_WAIT_MS, runtimeProgram } from "../support/runtimes.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";
import { type Packed, packSdk } from "./support/packed.ts";
import { Project } from "./support/project.ts";
import type { Given } from "./support/runtimes/given.ts";

const CONFIG = (shop: string) => `
services: { shop: { url: ${shop} } }
queues:
  purchases: { kind: defer, limit: { max_active: 9 }, max_wait: 1h, mode: paused }
  concert: { kind: pass, limit: { max_active: 99 }, max_wait: 1h, mode: paused }
routes:
  - { match: /purchases, service: shop, queue: purchases, hold: 0s }
  - { match: /concert, service: shop, queue: concert }
`;

const PROBLEM = "403, no-store, urn:usher:problem:pass_required";
const WAIT_AT = "https://tickets.example/concert";

/** What the guard does with each pass that it is shown. */
const GUARDED = [
  "good: 200, let in: concert",
  `none: ${PROBLEM} missing ${WAIT_AT}`,
  `expired: ${PROBLEM} expired ${WAIT_AT}`,
  `of another queue: ${PROBLEM} elsewhere ${WAIT_AT}`,
  `for another service: ${PROBLEM} elsewhere ${WAIT_AT}`,
  `of other keys: ${PROBLEM} untrusted ${WAIT_AT}`,
  "in a cookie: 200, let in: concert",
  `a browser: 303, ${WAIT_AT}, no-store`,
];

const COME_BACK = `wait for your turn at ${WAIT_AT}, and come back with the pass.`;

const GRPC = [
  "waiting 1 without a pass",
  "admitted 1",
  "admitted 0 with a pass",
  "completed  without a pass",
  "no such queue: queue_not_found false refused",
  "pass paused 0",
  "stopped: canceled false unknown",
  "left  without a pass",
];

/** What is printed, by its parts. */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  guard: [
    ...GUARDED,
    ...GUARDED.map((line) => `Hono: ${line}`),
    "without keys: 503, no-store, urn:usher:problem:keys_unavailable; 1 fault",
  ],
  "guard before node:http": GUARDED,
  "guard/grpc": [
    "good: let in: concert",
    `none: 7 No pass came with the request: ${COME_BACK}`,
    `expired: 7 The session of the pass is over: ${COME_BACK}`,
    `of another queue: 7 The pass is for another queue, or for another service: ${COME_BACK}`,
    `for another service: 7 The pass is for another queue, or for another service: ${COME_BACK}`,
    `of other keys: 7 The pass is signed by nobody who is trusted here: ${COME_BACK}`,
  ],
  web: [
    ...["waiting 1 without a pass", "admitted 0 with a pass", "left  without a pass"],
    ...["again: left  without a pass", "pass paused 0"],
    "no such queue: queue_not_found false refused",
    "nobody there: unreachable true unknown",
    "no Usher there: unexpected_answer false unknown",
    ...["stopped: canceled false unknown", "left  without a pass"],
  ],
  fetch: [
    "purchases: waiting at 1, then completed; 0 faults",
    "purchases: 200 bought without a pass: two seats",
    "concert: waiting at 1, then admitted; 0 faults",
    "concert: 200 bought with a pass: two seats",
    "given up: rejected: Error: enough; left with 200",
    "0 wait",
    "after a reload: the same ticket",
    "after a reload: 200 bought without a pass: a seat; 1 kept",
  ],
  testing: ["1 waits", "sold to 2"],
  grpc: [...GRPC, ...GRPC, "nobody there: unreachable true unknown"],
};

const HEALED = [
  "all wait",
  "over gRPC: admitted, mended, no place rises",
  "over Connect: admitted, mended, no place rises",
  "by fetch: 200 bought without a pass: three seats, no place rises",
];

const EVERY = ["node", ...RUNTIME_NAMES] as const;

const PROGRAM = "support/runtimes";

let packed: Packed;
let shop: Service;
let usher: Usher;
let data: string;
let backend: BackendClient;
let given: Given;
/** The command that runs a program on each. */
const commands: Record<string, readonly [string, ...string[]]> = { node: [process.execPath] };

beforeAll(async () => {
  commands.bun = [await runtimeProgram("bun"), "--no-install"];
  commands.deno = [await runtimeProgram("deno"), "run", "--no-lock", "--allow-all"];
  packed = await packSdk();
  shop = await startService((res, { headers, body }) => {
    res.end(`bought ${headers["usher-pass"] === undefined ? "without" : "with"} a pass: ${body}`);
  });
  data = await mkdtemp(join(tmpdir(), "usher-runtimes-"));
  usher = await startUsher({ config: CONFIG(shop.url), data });
  const native = `http://${usher.nativeAddress}`;
  backend = createClient({ baseUrl: native, apiKey: usher.apiKey });
  given = { gateway: usher.gatewayUrl, native, apiKey: usher.apiKey, passes: await passes() };
}, RUNTIMES_WAIT_MS);

afterAll(async () => {
  backend?.close();
  await Promise.all([usher?.stop(), shop?.stop(), packed?.remove()]);
  if (data !== undefined) await rm(data, { recursive: true, force: true });
});

/** A good one, and those that look like it. */
async function passes(): Promise<Given["passes"]> {
  const ticket = await backend.issue("concert");
  await backend.admit("concert", { ticket: ticket.id });
  const { pass: good = "" } = await ticket.admitted();
  const forger = await Forger.of(usher, good);
  const now_s = Math.floor(Date.now() / 1000);
  const text = forger.unsigned();
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    good,
    none: "",
    expired: forger.signed({}, { exp: now_s - 3600 }),
    "of another queue": forger.signed({}, { queue: "theatre", sub: ticket.id.replace("concert", "theatre") }),
    "for another service": forger.signed({}, { aud: ["till"] }),
    "of other keys": `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`,
  };
}

/** Starts the program, in a project of its own. `parts`: of it; none are all that need nobody else. */
async function started(runtime: string, ...parts: readonly string[]): Promise<Program> {
  const project = await Project.create(packed.tarball, ["hono"]);
  await cp(join(import.meta.dirname, PROGRAM), join(project.folder, "src"), { recursive: true });
  const program = new Program(join(project.folder, "src/program.ts"), [JSON.stringify(given), ...parts], {
    cwd: project.folder,
    runtime: commands[runtime] ?? [runtime],
    // What they keep besides goes with the project.
    env: { DENO_DIR: join(project.folder, "deno"), BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
  });
  onTestFinished(() => program.stop("SIGKILL").then(() => undefined));
  return program;
}

test.each(EVERY)("%s does all that the client can do", async (runtime) => {
  const program = await started(runtime);
  const { code } = await program.ended;
  const lines = Object.entries(PRINTED).flatMap(([part, said]) => said.map((line) => `${part}: ${line}`));
  expect(program.output.split("\n")).toEqual([...lines, ""]);
  expect(code).toBe(0);
});

test("those who wait, on any of them, do not notice that the node is killed and another comes in its place", async () => {
  const { lastNumber } = await backend.queue("concert");
  const programs = await Promise.all(EVERY.map((runtime) => started(runtime, "healing")));
  for (const program of programs) await program.says(/all wait/);
  await usher.kill();
  usher = await startUsher({ config: CONFIG(shop.url), data, ports: usher.ports });
  await backend.admit("concert", { count: 2 * EVERY.length });
  await backend.admit("purchases", { count: EVERY.length });
  for (const program of programs) {
    await program.ended;
    expect(program.output.split("\n")).toEqual([...HEALED.map((line) => `healing: ${line}`), ""]);
  }
  expect((await backend.queue("concert")).lastNumber).toBe(lastNumber + 2 * EVERY.length);
});
