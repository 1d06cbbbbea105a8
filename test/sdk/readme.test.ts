// The client's README, as a newcomer takes it: each snippet is a file of a strict project, is compiled there, and run
// against the real program.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BackendClient, createClient } from "@usher/sdk";
import { request } from "undici";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ROOT, SDK } from "../../scripts/sdk/build.ts";
import { openBrowser, openPerson } from "../e2e/browser.ts";
import { Program } from "../support/program.ts";
import { namedBlocks } from "../support/readme.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";
import { bundle } from "./support/bundle.ts";
import { type Packed, packSdk } from "./support/packed.ts";
import { Project } from "./support/project.ts";

const CONFIG = (shop: string) => `
services: { shop: { url: ${shop} } }
queues:
  purchases: { kind: defer, limit: { max_active: 9 }, max_wait: 1h, mode: paused }
  concert: { kind: pass, limit: { max_active: 99 }, max_wait: 1h, mode: paused }
  backstage: { kind: pass, limit: { max_active: 9 }, max_wait: 1h }
routes:
  - { match: POST /api/purchases, service: shop, queue: purchases, hold: 0s }
  - { match: /backstage, service: shop, queue: backstage }
  - { match: /*, service: shop }
`;

/** What the snippets need beside the client. */
const LIBRARIES = ["@types/node", "undici-types", "express", "@types/express", "@connectrpc/connect"];

const NODE = { module: "nodenext", lib: ["es2022"], types: ["node"] };
const BROWSER = { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] };

const readme = await readFile(join(ROOT, SDK, "README.md"), "utf8");
const snippets = namedBlocks(readme, "ts");

let packed: Packed;
let shop: Service;
let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  packed = await packSdk();
  shop = await startService((res, { body }) => {
    res.end(`bought: ${body}`);
  });
  usher = await startUsher({ config: CONFIG(shop.url) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

afterAll(async () => {
  backend?.close();
  await Promise.all([usher?.stop(), shop?.stop(), packed?.remove()]);
});

/** A snippet, with what it calls `localhost` put where it is. */
function snippet(name: string): string {
  return (snippets.get(name) ?? "")
    .replaceAll("http://localhost:50051", `http://${usher.nativeAddress}`)
    .replaceAll(/http:\/\/localhost:80[89]0/g, usher.gatewayUrl);
}

async function compiled(name: string, options: object, text: string): Promise<Project> {
  const project = await Project.create(packed.tarball, [...LIBRARIES, "@connectrpc/connect-node"]);
  await project.write(name, text);
  expect(await project.compile([name], options)).toBe("");
  return project;
}

/** Compiles a snippet for Node, and starts it. */
async function started(name: string, text = snippet(name), options: object = NODE): Promise<Program> {
  const { folder } = await compiled(name, options, text);
  const program = new Program(join(folder, "out", name.replace(/ts$/, "js")), [], {
    env: { USHER_API_KEY: usher.apiKey },
  });
  onTestFinished(() => program.stop("SIGKILL").then(() => undefined));
  return program;
}

/** A snippet that is a server, at a free port: where it is. */
async function served(name: string): Promise<string> {
  const listening = /(\w+)\.listen\(3000\);/;
  expect(snippet(name)).toMatch(listening);
  const listen = 'const at = $1.listen(0, () => console.log("listening", JSON.stringify(at.address())));';
  const program = await started(name, snippet(name).replace(listening, listen));
  return `http://127.0.0.1:${(await program.says(/listening .*"port":(\d+)/))[1]}`;
}

/** A pass of the queue `backstage`, as a visitor's program is told it. */
async function pass(): Promise<string> {
  const answer = await fetch(`${usher.gatewayUrl}/backstage`, {
    headers: { "idempotency-key": crypto.randomUUID() },
  });
  await answer.text();
  return answer.headers.get("usher-pass") ?? "";
}

async function saysLines(program: Program, lines: readonly (string | RegExp)[]): Promise<void> {
  const { code } = await program.ended;
  const said = program.output.split("\n").slice(0, -1);
  expect(said).toEqual(lines.map((line) => (typeof line === "string" ? line : expect.stringMatching(line))));
  expect(code).toBe(0);
}

const TRIED: Readonly<Record<string, () => Promise<void>>> = {
  async "backend.ts"() {
    const program = await started("backend.ts");
    await program.says(/waiting 1/);
    await backend.admit("concert", { count: 1 });
    await saysLines(program, [/^waiting 1 undefined$/, /^admitted 0 undefined$/]);
    await saysLines(await started("backend.ts"), ["left undefined undefined"]);
  },

  async "page.ts"() {
    const project = await compiled("page.ts", BROWSER, snippet("page.ts"));
    const { code } = await bundle(project, "out/page.js");
    shop.answer = (res, { target, body }) => {
      const isScript = target === "/page.js";
      res.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      if (isScript) res.end(code);
      else
        res.end(
          body ? `bought: ${body}` : '<!doctype html><body><script type="module" src="/page.js"></script>',
        );
    };
    const { page, complaints } = await openPerson(await openBrowser());
    await page.goto(`${usher.gatewayUrl}/shop`);
    const waits = () => page.waitForFunction('document.title === "place 1 in the line"');
    await waits();
    await page.reload();
    await waits();
    await backend.admit("purchases", { count: 1 });
    await page.getByText('bought: {"buyer":"ann","seats":2}').waitFor();
    expect(await page.title()).toBe("The Last Night");
    expect(complaints.filter((complaint) => !complaint.includes("favicon"))).toEqual([]);
    expect((await backend.queue("purchases")).lastNumber).toBe(1);
  },

  async "service.ts"() {
    const url = await served("service.ts");
    expect((await fetch(url)).status).toBe(403);
    const answer = await fetch(url, { headers: { "usher-pass": await pass() } });
    expect(await answer.text()).toMatch(/^hello, number \d+\n$/);
  },

  async "again.ts"() {
    const program = await started("again.ts");
    for (let waiting = 0; waiting === 0; ) ({ waiting } = await backend.queue("concert"));
    await backend.admit("concert", { count: 1 });
    await saysLines(program, ["admitted true", /^0 /]);
  },

  async "script.ts"() {
    const program = await started("script.ts");
    await program.says(/waiting 1/);
    await backend.admit("purchases", { count: 1 });
    await program.ended;
    expect(program.output).toMatch(/^waiting 1\n[\s\S]*200 bought: \{"buyer":"bob","seats":1\}\n$/);
  },

  async "worker.ts"() {
    const ticket = await backend.issue("concert", { subject: "eve", attributes: { seat: "A1" } });
    const program = await started("worker.ts");
    await program.says(new RegExp(`serving ${ticket.number}, eve, A1\n[^]*done up to \\d+`));
    program.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(program.output).toMatch(/^let in beside the limits: 1\n/);
    expect((await ticket.refresh()).state).toBe("completed");
  },

  async "express.ts"() {
    const url = await served("express.ts");
    const { statusCode, headers } = await request(`${url}/backstage`, { headers: { accept: "text/html" } });
    expect([statusCode, headers.location]).toEqual([303, `${usher.gatewayUrl}/backstage`]);
    const answer = await fetch(`${url}/backstage`, { headers: { "usher-pass": await pass() } });
    expect(await answer.json()).toMatchObject({ number: expect.any(Number), ticketId: /^backstage:/ });
  },

  async "visit.ts"() {
    const url = await served("service.ts");
    const program = await started("visit.ts", snippet("visit.ts").replace("http://localhost:3000", url));
    await saysLines(program, [/^200 hello, number \d+$/, ""]);
  },

  async "line.test.ts"() {
    const program = await started("line.test.ts");
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(program.output).toContain("the second waits until the first is done");
  },

  async "order.test.ts"() {
    const program = await started("order.test.ts");
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(program.output).toContain("an order waits its turn, and is sold");
  },

  async "errors.ts"() {
    await saysLines(await started("errors.ts"), ["queue_not_found false refused"]);
  },

  async "bare.ts"() {
    // Connect's own declarations want those of browsers.
    const program = await started("bare.ts", snippet("bare.ts"), { ...NODE, lib: ["es2022", "dom"] });
    await saysLines(program, [/^concert \d+$/]);
  },
};

test("the API key is read from the server's file as it is shown", async () => {
  const [, command = ""] = /^export USHER_API_KEY=\$\((.*)\)$/m.exec(readme) ?? [];
  const [, path = ""] = /require\('(.*?)'\)/.exec(command) ?? [];
  const project = await Project.create(packed.tarball);
  await project.write(path, await readFile(join(usher.data, "usher.keys.json"), "utf8"));
  const shell = await promisify(execFile)("bash", ["-c", command], { cwd: project.folder });
  expect(shell.stdout).toBe(`${usher.apiKey}\n`);
});

test("every snippet is tried", () => {
  expect([...snippets.keys()].sort()).toEqual(Object.keys(TRIED).sort());
});

test.each(Object.entries(TRIED))("%s compiles, and does what is said of it", (_, tried) => tried());
