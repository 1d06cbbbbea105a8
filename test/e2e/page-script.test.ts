// The script of docs/passes.md, run as it stands there, in a page that fetches from behind a queue.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { codeBlock } from "../support/readme.ts";
import { openBrowser, openPerson } from "./browser.ts";
import { callers, start } from "./shop.ts";

const PAGE = resolve(import.meta.dirname, "../../docs/passes.md");

test("a page that fetches from behind a queue shows the place, waits, and has the answer at its turn", async () => {
  const usher = await start();
  const { issue, complete } = callers(usher);
  const [first, second] = [await issue(), await issue()];
  const { page } = await openPerson(await openBrowser());
  const places: number[] = [];
  await page.exposeFunction("tell", (place: number) => void places.push(place));
  await page.goto(`${usher.gatewayUrl}/free`);
  await page.addScriptTag({ content: codeBlock(await readFile(PAGE, "utf8"), "js", "fetchInTurn") });
  const said = page.evaluate<string>(
    "fetchInTurn('/order', { method: 'POST' }, tell).then((answer) => answer.text())",
  );
  await eventually(() => expect(places).toEqual([2]));
  await complete(first);
  await eventually(() => expect(places.at(-1)).toBe(1));
  await complete(second);
  expect(await said).toContain("The shop: POST /order");
  // By the cookies alone, and at once.
  expect(
    await page.evaluate("fetchInTurn('/order/2', undefined, tell).then((answer) => answer.status)"),
  ).toBe(200);
});
