// The waiting page in a real browser, before a real service: what people see, and that it brings them on by itself.

import { QueueMode } from "@usher/protocol/queue";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openBrowser, openPerson, openTab } from "./browser.ts";
import { callers, start } from "./shop.ts";

test("two people wait: each sees the place, it moves without a reload, and who is next is brought on", async () => {
  const usher = await start();
  const { issue, complete } = callers(usher);
  const first = await issue();
  const browser = await openBrowser();
  const [ann, bob] = [await openPerson(browser), await openPerson(browser)];
  await ann.page.goto(`${usher.gatewayUrl}/checkout`);
  await bob.page.goto(`${usher.gatewayUrl}/checkout`);
  expect(await ann.page.textContent(".place")).toBe("1");
  expect(await bob.page.textContent(".place")).toBe("2");
  expect(await bob.page.textContent("[data-text=ahead]")).toBe("1");
  await bob.page.evaluate("document.documentElement.dataset.mark = 'the same document'");

  await complete(first);
  await ann.page.waitForSelector("text=The shop: GET /checkout");
  await bob.page.waitForFunction("document.querySelector('.place').textContent === '1'");
  expect(await bob.page.evaluate("document.documentElement.dataset.mark")).toBe("the same document");
  expect(await bob.page.title()).toBe("(1) You are in line");
  expect(await bob.page.getAttribute("#bar", "aria-valuenow")).toBe("50");

  // The service's page is Ann's own: a reload stays there.
  await ann.page.reload();
  await ann.page.waitForSelector("text=The shop: GET /checkout");
  expect([ann.complaints, bob.complaints]).toEqual([[], []]);
});

test("two tabs of one browser are one ticket, with one stream for both, and both are brought on", async () => {
  const usher = await start();
  const { issue, complete, queue } = callers(usher);
  const first = await issue();
  const ann = await openPerson(await openBrowser());
  let streams = 0;
  ann.context.on("request", (request) => {
    if (request.headers().accept === "text/event-stream") streams += 1;
  });
  await ann.page.goto(`${usher.gatewayUrl}/a`);
  await eventually(() => expect(streams).toBe(1));
  const second = await openTab(ann);
  await second.goto(`${usher.gatewayUrl}/b`);
  expect(await ann.page.textContent("[data-text=number]")).toBe("2");
  expect(await second.textContent("[data-text=number]")).toBe("2");
  expect(streams).toBe(1);
  await complete(first);
  await ann.page.waitForSelector("text=The shop: GET /a");
  await second.waitForSelector("text=The shop: GET /b");
  const { queue: checkout } = await queue.getQueue({ queue: "checkout" });
  expect(checkout?.lastNumber).toBe(2);
  expect(ann.complaints).toEqual([]);
});

test("without JavaScript the page loads itself anew, and brings people on all the same", async () => {
  const usher = await start();
  const { issue, complete } = callers(usher);
  const first = await issue();
  const ann = await openPerson(await openBrowser(), { javaScriptEnabled: false });
  await ann.page.goto(`${usher.gatewayUrl}/checkout`);
  expect(await ann.page.textContent(".place")).toBe("1");
  await ann.page.waitForSelector("noscript >> css=p.faint");
  await complete(first);
  await ann.page.waitForSelector("text=The shop: GET /checkout");
});

test("the place can be left, and taken anew", async () => {
  const usher = await start();
  const { issue } = callers(usher);
  await issue();
  const ann = await openPerson(await openBrowser());
  await ann.page.goto(`${usher.gatewayUrl}/checkout`);
  await ann.page.click("text=Leave the line");
  await ann.page.waitForSelector("text=You have left the line");
  await ann.page.click("text=Take a new place");
  await ann.page.waitForFunction("document.querySelector('[data-text=number]')?.textContent === '3'");
  expect(ann.complaints).toEqual([]);
});

test("who reads Korean is spoken to in Korean, and the operator's notice and pause come by themselves", async () => {
  const usher = await start();
  const { issue, change } = callers(usher);
  await issue();
  const minji = await openPerson(await openBrowser(), { locale: "ko-KR" });
  await minji.page.goto(`${usher.gatewayUrl}/checkout`);
  expect(await minji.page.getAttribute("html", "lang")).toBe("ko");
  await minji.page.waitForSelector("text=대기 중입니다");
  await change({ mode: QueueMode.PAUSED, notice: "판매는 <b>10시</b>에 시작합니다." });
  await minji.page.waitForSelector("text=대기열이 잠시 멈췄습니다");
  expect(await minji.page.textContent("[data-text=notice]")).toBe("판매는 <b>10시</b>에 시작합니다.");
  expect(minji.complaints).toEqual([]);
});

test("a form that was sent while there is a line is not passed on; at the turn it can be sent again", async () => {
  const usher = await start();
  const { issue, complete, change } = callers(usher);
  await change({ mode: QueueMode.OPEN });
  const ann = await openPerson(await openBrowser());
  await ann.page.goto(`${usher.gatewayUrl}/shop`);
  await change({ mode: QueueMode.AUTO });
  const first = await issue();
  await ann.page.click("text=Buy");
  await ann.page.waitForSelector("text=what you sent was not passed on");
  await complete(first);
  await ann.page.waitForSelector("text=Go back, and send it again.");
  await ann.page.goBack();
  await ann.page.click("text=Buy");
  await ann.page.waitForSelector("text=The shop: POST /order");
  // The browser tells of the refusal, as of any.
  expect(ann.complaints).toEqual([expect.stringContaining("429")]);
});

test("where something in between stops the stream, the page asks instead, and goes on at the turn", async () => {
  const usher = await start();
  const { issue, complete } = callers(usher);
  const first = await issue();
  const ann = await openPerson(await openBrowser());
  let asked = 0;
  await ann.page.route("**/_usher/**", async (route) => {
    const streams = route.request().headers().accept === "text/event-stream";
    if (streams) return route.fulfill({ status: 502, body: "" });
    asked += 1;
    await route.continue();
  });
  await ann.page.goto(`${usher.gatewayUrl}/checkout`);
  await eventually(() => expect(asked).toBeGreaterThan(1));
  await complete(first);
  await ann.page.waitForSelector("text=The shop: GET /checkout");
});

test("a browser that keeps no cookies is not sent round in circles", async () => {
  const usher = await start();
  const { issue, complete } = callers(usher);
  const first = await issue();
  const ann = await openPerson(await openBrowser());
  // As if the browser had blocked them.
  await ann.page.route("**/checkout", async (route) => {
    await ann.context.clearCookies();
    await route.continue();
  });
  await ann.page.goto(`${usher.gatewayUrl}/checkout`);
  let loads = 0;
  ann.page.on("load", () => {
    loads += 1;
  });
  await complete(first);
  for (let next = 2; loads < 3; next += 1) {
    const seen = loads;
    await eventually(() => expect(loads).toBeGreaterThan(seen));
    await complete(`${first.replace(/\d+$/, "")}${next}`);
  }
  await ann.page.waitForSelector("text=did not let this page go on by itself");
  expect(loads).toBe(3);
});
