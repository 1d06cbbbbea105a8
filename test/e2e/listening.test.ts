// What the waiting page tells those who listen to it: news at once, and otherwise little.

import { QueueMode } from "@usher/protocol/queue";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openBrowser, openPerson } from "./browser.ts";
import { callers, start } from "./shop.ts";

test("who listens hears of a pause and a notice at once, and of the line's steps every 20 seconds", async () => {
  const usher = await start();
  const { issue, complete, change } = callers(usher);
  const [first, second] = [await issue(), await issue(), await issue()];
  const { page } = await openPerson(await openBrowser());
  await page.clock.install();
  await page.goto(`${usher.gatewayUrl}/checkout`);
  const heard = () => page.textContent("#heard");
  const seesPlace = (place: string) =>
    eventually(async () => expect(await page.textContent(".place")).toBe(place));
  // The page is live once it has seen a step. From then on, time passes in it only where the test says so.
  await complete(first);
  await seesPlace("2");
  // Which is a minute on, and the step has been told in it.
  await page.clock.pauseAt(Date.now() + 60_000);
  expect(await heard()).toMatch(/^Your place: 2\. /);

  await complete(second);
  await seesPlace("1");
  await page.clock.runFor(10_000);
  expect(await heard()).toMatch(/^Your place: 2\. /);
  await page.clock.runFor(10_000);
  expect(await heard()).toMatch(/^Your place: 1\. /);

  await change({ mode: QueueMode.PAUSED, notice: "Back at ten." });
  await eventually(async () => expect(await page.textContent("[data-text=paused]")).not.toBe(""));
  await page.clock.runFor(1);
  expect(await heard()).toMatch(/^Your place: 1\. .* The line is paused\. .* Back at ten\.$/);
  expect(await page.getAttribute("#heard", "role")).toBe("status");
});

test("when the place has ended, the heading that says so is where the keyboard is", async () => {
  const usher = await start();
  const { issue } = callers(usher);
  await issue();
  const { page } = await openPerson(await openBrowser());
  await page.goto(`${usher.gatewayUrl}/checkout`);
  const action = await page.getAttribute("form", "action");
  // As in another tab, or on another device.
  await page.request.post(`${usher.gatewayUrl}${action}`, { headers: { accept: "application/json" } });
  await page.waitForSelector("h1:text('You have left the line')");
  expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
  expect(await page.textContent("#heard")).toBe("");
});
