// A script in a page of the service, in a real browser: what it cannot read of its visitor, however it asks. Its visitor
// reaches Usher through a proxy that Usher trusts, and that passes on whatever comes.

import { expect, onTestFinished, test } from "vitest";
import { startService } from "../support/service.ts";
import { startUsher } from "../support/usher.ts";
import { openBrowser, openPerson } from "./browser.ts";

/** In the page. With every header that helped, if a script could set it. */
const ASK = `async (path) => {
  const headers = { "sec-usher-check": "1", "x-original-uri": "/", "x-original-method": "GET" };
  const fetched = await fetch(path, { headers });
  const request = new XMLHttpRequest();
  request.open("GET", path, false);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.send();
  return {
    statuses: [fetched.status, request.status],
    headers: [...fetched.headers.keys(), ...request.getAllResponseHeaders().split(/: .*\\r\\n/)],
    texts: [await fetched.text(), request.responseText],
  };
}`;

test("a script reads neither its visitor's pass nor cookie where proxies ask, and cannot pretend to be one", async () => {
  const service = await startService((res) => {
    res.setHeader("content-type", "text/html");
    res.end(
      '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>The shop</h1></html>',
    );
  });
  onTestFinished(() => service.stop());
  const usher = await startUsher({
    config: `
trusted_proxies: [127.0.0.0/8]
services: { shop: { url: ${service.url} } }
queues: { checkout: { kind: pass, limit: { max_active: 1 }, max_wait: 10m } }
routes: [{ match: /*, service: shop, queue: checkout }]
`,
  });
  onTestFinished(() => usher.stop());
  const { page, context } = await openPerson(await openBrowser());
  await page.goto(usher.gatewayUrl);
  await page.waitForSelector("text=The shop");
  const secrets = (await context.cookies()).map(({ value }) => value);
  expect(secrets).toHaveLength(2);

  for (const path of [
    "/_usher/check?queue=checkout",
    "/_usher/check?queue=checkout&deny=401",
    "/_usher/wait?queue=checkout",
    "/_usher/check",
  ]) {
    const told = await page.evaluate(`(${ASK})(${JSON.stringify(path)})`);
    expect(told).toMatchObject({ statuses: [403, 403] });
    for (const secret of secrets) expect(JSON.stringify(told)).not.toContain(secret);
    expect(JSON.stringify(told)).not.toMatch(/usher-(pass|visitor|set|ticket)/);
  }
  // The same with what a proxy sets is answered, so it is the browser that keeps the mark away.
  const answer = await fetch(`${usher.gatewayUrl}/_usher/check?queue=checkout`, {
    headers: {
      "sec-usher-check": "1",
      cookie: (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; "),
    },
  });
  expect(answer.status).toBe(200);
  expect(secrets).toContain(answer.headers.get("usher-pass"));
});
