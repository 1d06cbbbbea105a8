// The client on the runtimes that it says it runs on: the same program, with the client as it is packed, on each of them,
// before a real gateway.

import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { type BackendClient, createClient } from "@usher/sdk";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { ROOT, SDK } from "../../scripts/sdk/build.ts";
import { certificate } from "../support/certificate.ts";
import { Forger } from "../support/passes.ts";
import { Program } from "../support/program.ts";
import { RUNTIME_NAMES, RUNTIMES_WAIT_MS, runtimeProgram, runtimeVersion } from "../support/runtimes.ts";
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
  - { match: /moved, service: shop }
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

/** By each of three ways to the node. */
const OVER_GRPC = [
  ...["waiting 1 without a pass", "admitted 1", "admitted 0 with a pass", "completed  without a pass"],
  "no such queue: queue_not_found false refused",
  "pass paused 0",
  ...["stopped: canceled false unknown", "left  without a pass"],
];

/** What is printed, by the package's entries. */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  "./guard": [
    ...GUARDED,
    ...GUARDED.map((line) => `Hono: ${line}`),
    ...GUARDED.map((line) => `node:http: ${line}`),
    "without keys: 503, no-store, urn:usher:problem:keys_unavailable; 1 fault",
  ],
  "./web": [
    ...["waiting 1 without a pass", "admitted 0 with a pass", "left  without a pass"],
    ...["again: left  without a pass", "pass paused 0"],
    "no such queue: queue_not_found false refused",
    "nobody there: unreachable true unknown",
    "no Usher there: unexpected_answer false unknown",
    ...["stopped: canceled false unknown", "left  without a pass"],
    "purchases: waiting at 1, then completed; 0 faults",
    "purchases: 200 bought without a pass: two seats",
    "concert: waiting at 1, then admitted; 0 faults",
    "concert: 200 bought with a pass: two seats",
    ...["given up: rejected: Error: enough; left with 200", "0 wait"],
    "after a reload: the same ticket, 200 bought without a pass: a seat",
    "after its end: the same ticket, 200 bought without a pass: a seat",
    "moved: 200 by another origin /arrived, true: a seat, and of Usher: nothing",
  ],
  "./testing": ["1 waits", "sold to 2"],
  ".": [
    ...[...OVER_GRPC, ...OVER_GRPC, ...OVER_GRPC],
    ...["nobody there: unreachable true refused", "not trusted: unreachable true refused"],
  ],
  "./guard/grpc": [
    "good: let in: concert",
    `none: 7 No pass came with the request: ${COME_BACK}`,
    `expired: 7 The session of the pass is over: ${COME_BACK}`,
    `of another queue: 7 The pass is for another queue, or for another service: ${COME_BACK}`,
    `for another service: 7 The pass is for another queue, or for another service: ${COME_BACK}`,
    `of other keys: 7 The pass is signed by nobody who is trusted here: ${COME_BACK}`,
  ],
};

const HEALED = [
  "all wait",
  "over gRPC: admitted, mended, no place rises",
  "over Connect: admitted, mended, no place rises",
  "by fetch: 200 bought without a pass: three seats, no place rises",
];

const readme = await readFile(join(ROOT, SDK, "README.md"), "utf8");

let packed: Packed;
let shop: Service;
let usher: Usher;
let data: string;
let front: Server;
let backend: BackendClient;
let given: Given;
/** Where each is. */
const programs: Record<string, string> = { node: process.execPath };

beforeAll(async () => {
  for (const name of RUNTIME_NAMES) programs[name] = await runtimeProgram(name);
  packed = await packSdk();
  shop = await startService((res, { target, headers, body }) => {
    const told = Object.keys(headers).filter((name) => /^(usher-|idempotency-key$)/.test(name));
    if (target === "/moved") res.writeHead(307, { location: `${shop.url}/arrived` }).end();
    else if (target === "/arrived") res.end(`${body}, and of Usher: ${told.join() || "nothing"}`);
    else res.end(`bought ${told.includes("usher-pass") ? "with" : "without"} a pass: ${body}`);
  });
  data = await mkdtemp(join(tmpdir(), "usher-runtimes-"));
  usher = await startUsher({ config: CONFIG(shop.url), data });
  const { gatewayUrl: gateway, nativeAddress, apiKey } = usher;
  const native = `http://${nativeAddress}`;
  front = await tlsFront(usher.ports.native);
  const tls = { url: `https://localhost:${(front.address() as AddressInfo).port}`, ca: certificate.cert };
  backend = createClient({ baseUrl: native, apiKey });
  given = { gateway, native, tls, apiKey, passes: await passes() };
}, RUNTIMES_WAIT_MS);

afterAll(async () => {
  backend?.close();
  front?.close();
  await Promise.all([usher?.stop(), shop?.stop(), packed?.remove()]);
  if (data !== undefined) await rm(data, { recursive: true, force: true });
});

/** What takes TLS off, as a load balancer does. */
async function tlsFront(port: number): Promise<Server> {
  const server = createServer({ ...certificate, ALPNProtocols: ["h2"] }, (client) => {
    const upstream = connect(port, "127.0.0.1");
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

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

/** Starts parts of the program, in a project of its own. `allowed`: what Deno is told to allow. */
async function started(
  runtime: string,
  parts: readonly string[],
  allowed: readonly string[] = [],
): Promise<Program> {
  const project = await Project.create(packed.tarball, ["hono"]);
  await cp(join(import.meta.dirname, "support/runtimes"), join(project.folder, "src"), { recursive: true });
  const flags = runtime === "deno" ? ["run", "--no-lock", "--no-prompt", ...allowed] : [];
  const program = new Program(join(project.folder, "src/program.ts"), [JSON.stringify(given), ...parts], {
    cwd: project.folder,
    runtime: [programs[runtime] ?? runtime, ...flags],
    env: {
      // What they keep besides goes with the project.
      DENO_DIR: join(project.folder, "deno"),
      BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
      // A machine may name a file of certificates for grpc-js to read, which Deno would have to allow.
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined,
    },
  });
  onTestFinished(() => program.stop("SIGKILL").then(() => undefined));
  return program;
}

async function does(program: Program, parts: readonly string[]): Promise<void> {
  const { code } = await program.ended;
  const lines = parts.flatMap((part) => PRINTED[part]?.map((line) => `${part}: ${line}`) ?? [`${part}: ?`]);
  expect(program.output.split("\n")).toEqual([...lines, ""]);
  expect(code).toBe(0);
}

/** The README's rows: each entry, and what Deno has to allow it. */
function entriesInReadme(): [entry: string, flags: string][] {
  const rows = [...readme.matchAll(/^\| `@usher\/sdk(.*?)` .*\| ([^|]+?) +\| [^|]+\|$/gm)];
  return rows.map(([, path = "", allowed = ""]) => [
    `.${path}`,
    [...allowed.matchAll(/`(.+?)`/g)].map(([, flag]) => flag).join(" "),
  ]);
}

const entries = entriesInReadme();

test("all that the package has is tried, on the versions that its README names", async () => {
  const { exports } = JSON.parse(await readFile(join(packed.folder, "package.json"), "utf8")) as {
    exports: Readonly<Record<string, unknown>>;
  };
  const there = Object.keys(exports).filter((entry) => !entry.endsWith(".json"));
  expect(entries.map(([entry]) => entry).sort()).toEqual(there.sort());
  expect(Object.keys(PRINTED).sort()).toEqual(there.sort());
  const [bun, deno] = (["bun", "deno"] as const).map((name) => /^\d+\.\d+/.exec(runtimeVersion(name))?.[0]);
  expect(readme).toContain(`Bun ${bun} and Deno ${deno}`);
});

test.each(["node", "bun"])("%s does all that the client can do", async (runtime) => {
  const parts = entries.map(([entry]) => entry);
  await does(await started(runtime, parts), parts);
});

test.each([...new Set(entries.map(([, flags]) => flags))])(
  "deno does it with no more leave than the README says: %s",
  async (flags) => {
    const parts = entries.filter((entry) => entry[1] === flags).map(([entry]) => entry);
    await does(await started("deno", parts, flags.split(" ").filter(Boolean)), parts);
  },
);

test("those who wait, on any of them, do not notice that the node is killed and another comes in its place", async () => {
  const { lastNumber } = await backend.queue("concert");
  const waiting = await Promise.all(
    ["node", ...RUNTIME_NAMES].map((runtime) =>
      started(runtime, ["healing"], ["--allow-net", "--allow-env"]),
    ),
  );
  for (const program of waiting) await program.says(/all wait/);
  await usher.kill();
  usher = await startUsher({ config: CONFIG(shop.url), data, ports: usher.ports });
  await backend.admit("concert", { count: 2 * waiting.length });
  await backend.admit("purchases", { count: waiting.length });
  for (const program of waiting) {
    await program.ended;
    expect(program.output.split("\n")).toEqual([...HEALED.map((line) => `healing: ${line}`), ""]);
  }
  expect((await backend.queue("concert")).lastNumber).toBe(lastNumber + 2 * waiting.length);
});
