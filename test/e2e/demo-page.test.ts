// The demo's page in a real browser, as whoever has typed `npm start` sees it.

import { QueueMode } from "@usher/protocol/queue";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openBoxOffice } from "./box-office.ts";
import { openBrowser, openPerson, openTab } from "./browser.ts";

/** What a browser says by itself where nobody answers it, or a node that has only just started. */
const UNREACHED =
  /^Failed to load resource: (net::ERR_(INTERNET_DISCONNECTED|NETWORK_CHANGED|CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)$|.* status of 503 )/;

function figure(page: Page, side: "direct" | "usher", name: string): Promise<number> {
  return page
    .textContent(`#${side} [data-figure=${name}]`)
    .then((text) => Number(`${text}`.replace(",", "")));
}

async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await eventually(async () => {
    const seen = await page.textContent(selector, { timeout: 1_000 });
    if (typeof text === "string") expect(seen).toBe(text);
    else expect(seen).toMatch(text);
  });
}

test("a crowd is sent both ways by one press: most fail without Usher, and with it all are answered", async () => {
  const { url } = await openBoxOffice(1_500);
  const { page, complaints } = await openPerson(await openBrowser());
  await page.goto(url);
  expect(await page.textContent("h1")).toBe("1,500 people want a seat at the same moment");
  await page.click("text=Send 1,500 buyers");
  await sees(page, "#run", "On their way: 1,500 to each shop.");
  await page.press("#send", "Enter");
  await sees(page, "#run", /^Those of before are still there/);

  // Who comes meanwhile, waits like everybody else.
  await page.click("text=Buy a seat");
  await page.waitForSelector("text=/^Seat [\\d,]+ is yours$/", { timeout: 60_000 });
  await page.waitForSelector("text=/^All have gone home/", { timeout: 60_000 });
  const [failed, answered] = [
    await figure(page, "direct", "failed"),
    await figure(page, "direct", "answered"),
  ];
  expect(failed).toBeGreaterThan(300);
  expect(failed + answered).toBe(1_500);
  expect(await figure(page, "usher", "answered")).toBe(1_500);
  expect(await figure(page, "usher", "failed")).toBe(0);
  for (const side of ["direct", "usher"] as const) expect(await figure(page, side, "open")).toBe(0);
  expect(await figure(page, "usher", "inFlightMax")).toBeLessThanOrEqual(40);
  expect(await figure(page, "direct", "inFlightMax")).toBeGreaterThan(500);
  // The second press, to which it was busy, has sent nobody; the next may.
  expect(await (await page.request.get(`${url}/page/figures`)).json()).toMatchObject({
    run: 1,
    direct: { shop: { sold: answered } },
    usher: { shop: { sold: 1_501 } },
  });
  expect(await page.getAttribute("#send", "aria-disabled")).toBe("false");

  // Whoever comes now, or loads it again, sees what has been.
  const drawn = () => page.getAttribute("#direct .chart .area", "d");
  const before = await drawn();
  await page.reload();
  await page.waitForSelector("text=/^All have gone home/");
  expect(await figure(page, "usher", "answered")).toBe(1_500);
  expect(await drawn()).toBe(before);
  expect(complaints).toEqual([
    expect.stringContaining("409"), // the browser tells of the refusal
  ]);
}, 180_000);

test("a purchase keeps its ticket when the page is loaded again, the network is gone, and Usher is killed", async () => {
  const { url, change, queue, kill, restart } = await openBoxOffice();
  await change("purchases", { mode: QueueMode.PAUSED, notice: "Back at <b>ten</b>." });
  const { page, context, complaints } = await openPerson(await openBrowser());
  const isWaiting = async (): Promise<void> => {
    await sees(page, "#purchase .place b", "1");
    expect(await page.textContent("#purchase .ticket")).toBe("Ticket 1");
  };
  await page.goto(url);
  await page.click("text=Buy a seat");
  await isWaiting();
  expect(await page.textContent("#purchase .notice")).toBe("Back at <b>ten</b>.");
  await sees(page, "#usher [data-figure=waiting]", "1");

  await page.reload();
  await isWaiting();

  await context.setOffline(true);
  await page.waitForSelector("text=Neither the shop nor Usher can be reached");
  await isWaiting();
  await context.setOffline(false);
  await page.waitForSelector("text=Neither the shop nor Usher can be reached", { state: "hidden" });

  await kill();
  await page.waitForSelector("text=Usher cannot be reached just now");
  // The page is the shop's, and is there; what it was about is in the browser.
  await page.reload();
  await page.waitForSelector("text=Usher cannot be reached just now");
  await restart();
  await page.waitForSelector("text=Usher cannot be reached just now", { state: "hidden" });
  await isWaiting();
  expect(await queue("purchases")).toMatchObject({ lastNumber: 1, waiting: 1 });

  await change("purchases", { mode: QueueMode.AUTO });
  await page.waitForSelector("text=Seat 1 is yours");
  expect(await page.textContent("#purchase .ticket")).toBe("Ticket 1");
  // What has been answered is not asked for again.
  await page.reload();
  await page.waitForSelector("text=Buy a seat");
  expect(await queue("purchases")).toMatchObject({ lastNumber: 1, waiting: 0 });
  expect(complaints.filter((complaint) => !UNREACHED.test(complaint))).toEqual([]);
}, 120_000);

test("two tabs are one ticket backstage, are let in together, and come out together", async () => {
  const { url, queue } = await openBoxOffice();
  const browser = await openBrowser();
  const [ann, minji] = [await openPerson(browser), await openPerson(browser, { locale: "ko-KR" })];
  await ann.page.goto(url);
  await ann.page.click("text=Go backstage");
  await sees(ann.page, "#backstage .headline", "You are backstage");

  await minji.page.goto(url);
  await minji.page.click("text=무대 뒤로 가기");
  await sees(minji.page, "#backstage .ticket", "대기 번호 2번");
  const second = await openTab(minji);
  await second.goto(url);
  await sees(second, "#backstage .ticket", "대기 번호 2번");
  await sees(second, "#backstage .place b", "1");
  expect(await queue("backstage")).toMatchObject({ lastNumber: 2, waiting: 1 });

  await ann.page.click("text=Come out again");
  await sees(ann.page, "#backstage .headline", "You are out again");
  for (const tab of [minji.page, second]) {
    await sees(tab, "#backstage .headline", "무대 뒤에 들어왔습니다");
    expect(await tab.textContent("#backstage .ticket")).toBe("대기 번호 2번");
  }
  // Loaded again, it is still the same visit.
  await second.reload();
  await sees(second, "#backstage .headline", "무대 뒤에 들어왔습니다");
  await second.click("text=다시 나오기");
  for (const tab of [minji.page, second]) await sees(tab, "#backstage .headline", "다시 나왔습니다");
  expect(await queue("backstage")).toMatchObject({ lastNumber: 2, waiting: 0 });
  expect(ann.complaints).toEqual([]);
  // The browser tells of the refusal that the place in line came with.
  expect(minji.complaints).toEqual([expect.stringContaining("429")]);
});

test("a place that is given up in one tab is given up in both, and no other is taken", async () => {
  const { url, queue, change } = await openBoxOffice();
  await change("purchases", { mode: QueueMode.PAUSED });
  await change("backstage", { mode: QueueMode.PAUSED });
  const ann = await openPerson(await openBrowser());
  await ann.page.goto(url);
  await ann.page.click("text=Buy a seat");
  await ann.page.click("text=Go backstage");
  for (const part of ["#purchase", "#backstage"]) await sees(ann.page, `${part} .ticket`, "Ticket 1");
  const second = await openTab(ann);
  await second.goto(url);
  for (const part of ["#purchase", "#backstage"]) await sees(second, `${part} .ticket`, "Ticket 1");
  await second.click("text=Give up the place");
  await second.click("text=Leave the line");
  for (const tab of [ann.page, second])
    for (const part of ["#purchase", "#backstage"])
      await sees(tab, `${part} .headline`, "You have given up your place");
  for (const name of ["purchases", "backstage"])
    expect(await queue(name)).toMatchObject({ lastNumber: 1, waiting: 0 });
});

test("all of it can be done by the keyboard, and is told to those who listen", async () => {
  const { url, change, queue } = await openBoxOffice();
  await change("purchases", { mode: QueueMode.PAUSED });
  const { page, complaints } = await openPerson(await openBrowser());
  await page.goto(url);
  const focused = () => page.evaluate<string>("document.activeElement.textContent");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Send 20 buyers");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Buy a seat");
  await page.keyboard.press("Enter");
  await sees(page, "#purchase .place b", "1");
  expect(await focused()).toBe("Give up the place");
  await sees(page, "#purchase [role=status]", "Place 1. How long it takes is not known yet.");
  await page.keyboard.press("Enter");
  await sees(page, "#purchase [role=status]", "You have given up your place");
  expect(await focused()).toBe("Buy a seat");
  await eventually(async () => expect(await queue("purchases")).toMatchObject({ lastNumber: 1, waiting: 0 }));
  // Who was given up is not waited for again.
  await page.reload();
  await page.waitForSelector("text=Buy a seat");
  expect(await queue("purchases")).toMatchObject({ lastNumber: 1, waiting: 0 });
  expect(complaints).toEqual([]);
});

test("a press that nobody answers can be made again, and is one purchase", async () => {
  const { url, queue, kill, restart } = await openBoxOffice();
  const { page, complaints } = await openPerson(await openBrowser());
  await page.goto(url);
  await kill();
  await page.click("text=Buy a seat");
  await page.waitForSelector("text=Press again: it is the same request");
  // Told in words, and not in those of whoever wrote the browser.
  expect(await page.textContent("#purchase .state")).not.toContain("Error");
  const remembered = () => page.evaluate<string>("localStorage['box-office:order']");
  const order = await remembered();
  await restart();
  // Also by whoever comes back: the page takes the order up again.
  await page.reload();
  await page.waitForSelector("text=Seat 1 is yours");
  expect(JSON.parse(order)).toMatchObject({ seats: 1 });
  expect(await remembered()).toBeUndefined();
  expect(await queue("purchases")).toMatchObject({ lastNumber: 0 });
  expect(complaints.filter((complaint) => !UNREACHED.test(complaint))).toEqual([]);
});

test("who is refused is told why in their own language", async () => {
  const { url, change } = await openBoxOffice();
  for (const name of ["purchases", "backstage"]) await change(name, { mode: QueueMode.CLOSED });
  const { page } = await openPerson(await openBrowser(), { locale: "ko-KR" });
  await page.goto(url);
  await page.click("text=좌석 사기");
  await page.click("text=무대 뒤로 가기");
  for (const part of ["#purchase", "#backstage"])
    await sees(page, `${part} .detail`, "지금은 새로 줄을 설 수 없습니다.");
});

test("a place from before the demo began anew is said to be none any more", async () => {
  const { url, change, kill, restart } = await openBoxOffice();
  await change("purchases", { mode: QueueMode.PAUSED });
  const { page } = await openPerson(await openBrowser());
  await page.goto(url);
  await page.click("text=Buy a seat");
  await sees(page, "#purchase .place b", "1");
  await kill();
  await restart({ anew: true });
  await sees(page, "#purchase .detail", /^Usher does not know this place any more/);
  await page.click("text=Buy a seat");
  await page.waitForSelector("text=Seat 1 is yours");
});

test("whoever is backstage no more comes out by the same press", async () => {
  const { url, kill, restart } = await openBoxOffice();
  const { page } = await openPerson(await openBrowser());
  await page.goto(url);
  await page.click("text=Go backstage");
  await sees(page, "#backstage .headline", "You are backstage");
  await kill();
  await page.click("text=Come out again");
  await sees(page, "#backstage .detail", /^Nobody heard/);
  await restart({ anew: true });
  await page.click("text=Come out again");
  await sees(page, "#backstage .headline", "You are out again");
});

test("a purchase whose answer was lost is not made twice by a second press", async () => {
  const { url } = await openBoxOffice();
  const buy = async () => {
    const headers = { "idempotency-key": "0123456789abcdef0123456789abcdef" };
    const order = { method: "POST", headers, body: '{"buyer":"ann","seats":1}' };
    return (await fetch(`${url}/api/purchases`, order)).json();
  };
  // As Usher would send it that had been killed in between.
  expect(await buy()).toEqual(await buy());
});

test("where one of Usher's nodes is gone, the page says so, and all goes on at the other", async () => {
  const { url, change, queue } = await openBoxOffice(20, 1);
  await change("purchases", { mode: QueueMode.PAUSED });
  const { page, complaints } = await openPerson(await openBrowser());
  await page.goto(url);
  await page.waitForSelector("text=1 of Usher’s 2 nodes can be reached");
  await page.click("text=Buy a seat");
  await sees(page, "#purchase .place b", "1");
  await page.click("text=Go backstage");
  await sees(page, "#backstage .headline", "You are backstage");
  await page.reload();
  await sees(page, "#purchase .place b", "1");
  await sees(page, "#backstage .headline", "You are backstage");
  await sees(page, "#usher [data-figure=waiting]", "1");
  await change("purchases", { mode: QueueMode.AUTO });
  await page.waitForSelector("text=Seat 1 is yours");
  expect(await queue("purchases")).toMatchObject({ lastNumber: 1, waiting: 0 });
  expect(complaints.filter((complaint) => !UNREACHED.test(complaint))).toEqual([]);
});

test.each([
  ["denied", "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })"],
  ["full", "Storage.prototype.setItem = () => { throw new Error('full') }"],
])("where the browser's storage is %s, all goes on but for reloads", async (_, script) => {
  const { url, change } = await openBoxOffice();
  await change("purchases", { mode: QueueMode.PAUSED });
  const { page, complaints } = await openPerson(await openBrowser());
  await page.addInitScript(script);
  await page.goto(url);
  await page.click("text=Buy a seat");
  await sees(page, "#purchase .place b", "1");
  await change("purchases", { mode: QueueMode.AUTO });
  await page.waitForSelector("text=Seat 1 is yours");
  await page.click("text=Go backstage");
  await sees(page, "#backstage .headline", "You are backstage");
  await page.click("text=Come out again");
  await sees(page, "#backstage .headline", "You are out again");
  expect(complaints).toEqual([]);
});

test("it fits a small phone, in both languages, by day and by night", async () => {
  const { url } = await openBoxOffice();
  const browser = await openBrowser();
  for (const [locale, heading] of [
    ["en-GB", "Without Usher"],
    ["ko-KR", "Usher 없이"],
    ["fr-FR", "Without Usher"],
  ] as const)
    for (const colorScheme of ["light", "dark"] as const) {
      const viewport = { width: 320, height: 640 };
      const { page, complaints } = await openPerson(browser, { locale, colorScheme, viewport });
      await page.goto(url);
      await sees(page, "#direct h3", heading);
      expect(await page.getAttribute("html", "lang")).toBe(locale === "ko-KR" ? "ko" : "en");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
      expect(complaints).toEqual([]);
    }
});
