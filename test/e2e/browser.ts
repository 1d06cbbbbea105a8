// A real browser: Debian's Chromium, without a window, closed at the end of the test that opened it.

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

const CHROMIUM = "/usr/bin/chromium";

export interface Person {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the browser complained of. */
  readonly complaints: string[];
}

export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  onTestFinished(() => browser.close());
  return browser;
}

/** Somebody with a browser of their own: cookies and storage are shared with nobody. */
export async function openPerson(
  browser: Browser,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Person> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const complaints: string[] = [];
  const page = await openTab({ context, complaints });
  return { context, page, complaints };
}

/** Another tab of the same browser. */
export async function openTab({ context, complaints }: Omit<Person, "page">): Promise<Page> {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return page;
}
