// What the demo's page is served with, and what it is not: by a real shop, over real sockets.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Crowds } from "../src/page/crowds.ts";
import { Exit } from "../src/page/exit.ts";
import type { Figures } from "../src/page/figures.ts";
import { Page } from "../src/page/page.ts";
import { shopDefaults } from "../src/shop/settings.ts";
import { Shop } from "../src/shop/shop.ts";

/** Where nobody is. */
const NOWHERE = "http://127.0.0.1:9";

async function openPage(buyers = 1): Promise<Shop> {
  const folder = mkdtempSync(join(tmpdir(), "box-office-page-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const exit = new Exit([NOWHERE]);
  onTestFinished(() => exit.close());
  const crowds = new Crowds({ buyers, gateways: [NOWHERE], folder }, () => shop);
  const page = new Page({ gateways: [NOWHERE], crowds, exit });
  const shop: Shop = await Shop.open(
    { ...shopDefaults, seats: 3, work_ms: 1 },
    {
      ...{ host: "127.0.0.1", port: 0, log: join(folder, "shop.ndjson") },
      aside: (request, response) => page.answer(request, response),
    },
  );
  onTestFinished(() => shop.close());
  return shop;
}

/** The addresses that a script loads, or a page. */
function loadedBy(text: string, base: string): string[] {
  const found = text.matchAll(/(?:from|import) "([^"]+)"|(?:src|href)="(\/[^"]+)"/g);
  return [...found].map(([, imported, linked]) => new URL(imported ?? linked ?? "", base).href);
}

test("all that the page loads is there, from here alone, and is JavaScript to a browser", async () => {
  const { url } = await openPage();
  const seen = new Set<string>();
  const unseen = [`${url}/`];
  for (let next = unseen.pop(); next !== undefined; next = unseen.pop()) {
    seen.add(next);
    const answer = await fetch(next);
    const text = await answer.text();
    expect(answer.status, next).toBe(200);
    expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self';/);
    if (next.endsWith(".ts")) {
      expect(answer.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
      expect(text).not.toMatch(/^(import|export) type|\binterface \w+ \{/m);
    }
    for (const loaded of loadedBy(text, next)) if (!seen.has(loaded)) unseen.push(loaded);
  }
  const paths = [...seen].map((address) => address.replace(url, ""));
  expect(paths).toContain("/sdk/web.ts");
  expect(paths).toContain("/page/words.ts");
  expect(paths.filter((path) => !/^\/(page\/[\w-]+\.(ts|css)|sdk\/[\w/-]+\.ts)?$/.test(path))).toEqual([]);
});

test.each([
  "/page/tsconfig.json",
  "/page/index.html",
  "/page/../page.ts",
  "/page/%2e%2e/page.ts",
  "/sdk/..%2fpackage.json",
  "/sdk/../package.json",
  "/sdk//etc/passwd.ts",
  "/sdk/none.ts",
  "/sdk//web.ts",
  "/page//main.ts",
  "/page/",
])("nothing else is: %s", async (path) => {
  const { url } = await openPage();
  const answer = await fetch(`${url}${path}`);
  expect([404, 405]).toContain(answer.status);
  expect(await answer.text()).toMatch(/"error"/);
});

test("crowds are sent by the page itself, and by nobody's page elsewhere", async () => {
  const { url } = await openPage();
  const send = (headers: Record<string, string>) => fetch(`${url}/page/crowds`, { method: "POST", headers });
  for (const site of ["cross-site", "same-site", "none"])
    expect((await send({ "sec-fetch-site": site })).status).toBe(403);
  expect(await (await fetch(`${url}/page/figures`)).json()).toMatchObject({ run: 0, isRunning: false });
  expect((await fetch(`${url}/page/crowds`, { method: "DELETE" })).status).toBe(405);
  expect((await fetch(`${url}/page/nothing`, { method: "POST" })).status).toBe(404);
});

test("the way out takes a pass, and says so where it gets none, or where Usher is not there", async () => {
  const { url } = await openPage();
  const leave = async (pass: string) =>
    (await fetch(`${url}/page/exit`, { method: "POST", body: pass })).status;
  const pass = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  for (const none of ["", "x", "a.b.c", pass({}), pass({ sub: 1 }), "x".repeat(100_000)])
    expect(await leave(none)).toBe(400);
  expect(await leave(pass({ sub: "backstage:0123456789abcdef:1" }))).toBe(502);
});

test("a crowd that finds too few seats finds them all for sale again; each run counts its own", async () => {
  const shop = await openPage(2);
  const buy = () => fetch(`${shop.url}/api/purchases`, { method: "POST", body: '{"buyer":"ann","seats":1}' });
  const figures = async (from = "") =>
    (await (await fetch(`${shop.url}/page/figures${from}`)).json()) as Figures;
  const send = async () => {
    expect((await fetch(`${shop.url}/page/crowds`, { method: "POST" })).status).toBe(202);
    expect((await fetch(`${shop.url}/page/crowds`, { method: "POST" })).status).toBe(409);
    await expect.poll(async () => (await figures()).isRunning, { timeout: 30_000 }).toBe(false);
  };
  expect((await buy()).status).toBe(201);
  await send();
  // Straight to its own shop it was served; there is no gateway, and nobody got through it.
  expect(await figures()).toMatchObject({
    run: 1,
    direct: { crowd: { answered: 2, failed: 0 }, shop: { sold: 2, inFlight: 0 } },
    usher: { crowd: { answered: 0, failed: 2 }, shop: { sold: 0 } },
  });
  // What was seen is told again from where one has it.
  const { moments, momentsBefore, direct } = await figures();
  expect(direct.lasted_ms).toBeGreaterThan(0);
  expect(momentsBefore).toBe(0);
  expect(moments.length).toBeGreaterThan(0);
  expect(await figures("?from=1")).toMatchObject({ moments: moments.slice(1), momentsBefore: 1 });
  expect(await figures("?from=1000")).toMatchObject({ moments: [], momentsBefore: moments.length });
  expect(await figures("?from=x")).toMatchObject({ moments, momentsBefore: 0 });
  expect(shop.figures.sold).toBe(1);
  expect((await buy()).status).toBe(201);
  await send();
  expect(await figures()).toMatchObject({ run: 2, usher: { shop: { sold: 0 } } });
  expect(shop.figures.sold).toBe(0);
});
