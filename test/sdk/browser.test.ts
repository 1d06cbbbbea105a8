// The client in a page: its size, and what it does in a real browser before a real gateway.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@usher/sdk";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openBrowser, openPerson } from "../e2e/browser.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher } from "../support/usher.ts";
import { type Bundle, bundle } from "./support/bundle.ts";
import { type Packed, packSdk } from "./support/packed.ts";
import { Project } from "./support/project.ts";

/** The most that issue, watch and fetch may cost a page, in bytes, compressed by gzip. */
const GZIP_BYTES_MAX = 15 * 1024;

/** All that the entry has for a page, and nothing of its own. */
const ENTRY = `
import { createClient, createFetch } from "@usher/sdk/web";
globalThis.usher = { createClient, createFetch };
`;

const PAGE =
  '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><script type="module" src="/app.js"></script>';

/** What the entry leaves in the page. */
interface Page {
  readonly usher: Pick<typeof import("@usher/sdk/web"), "createClient" | "createFetch">;
}

let packed: Packed;

beforeAll(async () => {
  packed = await packSdk();
});

afterAll(() => packed?.remove());

async function bundled(): Promise<Bundle> {
  const project = await Project.create(packed.tarball);
  await project.write("entry.js", ENTRY);
  return bundle(project, "entry.js");
}

/** A service with a page that has the client, for the time of a test; it tells what else is asked of it. */
async function startShop(): Promise<Service> {
  const { code } = await bundled();
  const service = await startService((res, { target, method, body }) => {
    const isScript = target === "/app.js";
    res.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    res.end(isScript ? code : target === "/" ? PAGE : `${method} ${target} ${body}`);
  });
  onTestFinished(() => service.stop());
  return service;
}

test("issue, watch and fetch are at most 15 KB of a page, as few as the README says, and nothing but the client's own", async () => {
  const { gzipBytes, parts, imports, code } = await bundled();
  const table = parts.map(({ file, bytes }) => `${`${bytes}`.padStart(7)}  ${file}`);
  console.log(`${gzipBytes} bytes gzipped, ${code.length} minified; before that:\n${table.join("\n")}`);
  expect(gzipBytes).toBeLessThanOrEqual(GZIP_BYTES_MAX);
  const readme = await readFile(join(packed.folder, "README.md"), "utf8");
  expect(/issue, watch and fetch are (\d+) KB/.exec(readme)?.[1]).toBe(`${Math.ceil(gzipBytes / 1024)}`);
  expect(imports).toEqual([]);
  expect(code).not.toContain("node:");
  const own = /^entry\.js$|^node_modules\/@usher\/sdk\/dist\/(?!vendor\/)/;
  expect(parts.map(({ file }) => file).filter((file) => !own.test(file))).toEqual([]);
});

test("in a page it takes a ticket, watches it, and fetches when it is its turn, without a complaint", async () => {
  const service = await startShop();
  const usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, limit: { max_active: 1 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { max_active: 9 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
  - { match: /*, service: shop }
`,
  });
  onTestFinished(() => usher.stop());
  using backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
  const { page, context, complaints } = await openPerson(await openBrowser());
  await context.exposeFunction("admit", (queue: string) => backend.admit(queue, { count: 1 }));
  await page.goto(usher.gatewayUrl);
  await page.waitForFunction(() => "usher" in globalThis);

  const watched = await page.evaluate(async () => {
    const { usher, admit } = globalThis as unknown as Page & { admit(queue: string): Promise<void> };
    const seen: string[] = [];
    const ticket = await usher.createClient().issue("checkout");
    for await (const { state, position } of ticket.watch()) {
      seen.push(`${state} ${position}`);
      if (state === "admitted") break;
      await admit("checkout");
    }
    return seen;
  });
  expect(watched).toEqual(["waiting 1", "admitted 0"]);

  const fetched = (path: string) =>
    page.evaluate(async (path) => {
      const { usher, admit } = globalThis as unknown as Page & { admit(queue: string): Promise<void> };
      const seen: string[] = [];
      const fetch = usher.createFetch({
        storage: localStorage,
        onStatus: ({ state, position }) => {
          seen.push(`${state} ${position}`);
          if (seen.length === 1) void admit(path.slice(1));
        },
      });
      const response = await fetch(path, { method: "POST", body: "two seats" });
      return [...seen.slice(0, 1), response.status, await response.text()];
    }, path);
  expect(await fetched("/orders")).toEqual(["waiting 1", 200, "POST /orders two seats"]);
  expect(complaints).toEqual([]);

  // What is sent away with a place in the line is a 429, of which browsers tell by themselves.
  expect(await fetched("/checkout")).toEqual(["waiting 1", 200, "POST /checkout two seats"]);
  expect(complaints.filter((complaint) => !complaint.includes("status of 429"))).toEqual([]);
  expect(service.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
});

test("in a page, a gateway that is not there or does not allow the page is told as that, with what to do", async () => {
  const service = await startShop();
  const queue = "{ kind: pass, limit: { max_active: 1 }, max_wait: 1h }";
  const usher = await startUsher({ config: `queues: { concert: ${queue} }` });
  onTestFinished(() => usher.stop());
  const gone = await startService();
  await gone.stop();
  const { page } = await openPerson(await openBrowser());
  await page.goto(service.url);
  await page.waitForFunction(() => "usher" in globalThis);
  const told = (baseUrl?: string) =>
    page.evaluate(async (baseUrl) => {
      const { usher } = globalThis as unknown as Page;
      const client = usher.createClient({ attempts: 1, ...(baseUrl !== undefined && { baseUrl }) });
      const { code, message } = await client.issue("concert").catch((error) => error);
      return { code, message };
    }, baseUrl);
  for (const baseUrl of [gone.url, usher.gatewayUrl])
    expect(await told(baseUrl)).toEqual({
      code: "unreachable",
      message: `${baseUrl} could not be reached: the browser does not say why. Is a gateway running there, and does it allow this page's origin (allowed_origins)? (Failed to fetch)`,
    });
  expect(await told()).toEqual({
    code: "unexpected_answer",
    message: expect.stringMatching(/^the page's own origin answers 200 with text\/html, .* is baseUrl right/),
  });
});

test("in a page, a purchase whose answer is lost is found where it is kept, and made once", async () => {
  const service = await startShop();
  const usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, limit: { max_active: 1 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /*, service: shop }
`,
  });
  onTestFinished(() => usher.stop());
  using backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
  const { page, context } = await openPerson(await openBrowser());
  await context.exposeFunction("admit", () => backend.admit("orders", { count: 1 }));
  for (const path of ["orders", "free"]) {
    await page.route(`**/${path}`, async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    });
  }
  await page.goto(usher.gatewayUrl);
  await page.waitForFunction(() => "usher" in globalThis);
  const fetched = (path: string) =>
    page.evaluate(async (path) => {
      const { usher, admit } = globalThis as unknown as Page & { admit(): Promise<void> };
      const { signal } = new AbortController();
      const fetch = usher.createFetch({ onStatus: ({ state }) => void (state === "waiting" && admit()) });
      const answer = fetch(path, { method: "POST", body: "two seats", signal });
      return answer.then((response) => response.text()).catch(String);
    }, path);
  expect(await fetched("/orders")).toBe("POST /orders two seats");
  expect(await fetched("/free")).toBe("TypeError: Failed to fetch");
  expect(service.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
});
