// examples/edges/nginx.conf, run by a real nginx: what people and programs meet whose proxy asks Usher.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { Raw } from "../support/raw.ts";
import type { Service } from "../support/service.ts";
import type { Usher } from "../support/usher.ts";
import { openShop, openUsher, readExample, STORY } from "./edges/story.ts";

let shop: Service;
let usher: Usher;
let nginx: Nginx;

beforeAll(async () => {
  shop = await openShop();
  usher = await openUsher();
  const example = await readExample("nginx.conf", { shop, usher });
  nginx = await startNginx((port) => example.replace("listen 8000", `listen 127.0.0.1:${port}`));
});
afterAll(async () => {
  await nginx?.stop();
  await usher?.stop();
  await shop?.stop();
});

test.each([
  "/checkout/%2e%2e/elsewhere",
  "/checkout/../elsewhere",
  "/elsewhere/..;/checkout",
  "/elsewhere/%2e%2e;x=1/checkout",
  "/elsewhere/..%3bx/checkout",
  "/elsewhere/..%2fcheckout",
  "/elsewhere/..%5Ccheckout",
  "/elsewhere/..\\checkout",
  "/elsewhere/.%252e/checkout",
  "/%2563heckout",
  "/elsewhere#/../checkout",
])("a path that can be read in two ways is refused: %s", async (path) => {
  const before = shop.seen.length;
  const raw = await Raw.open(nginx.url);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`);
  expect((await raw.answer()).status).toBe(400);
  expect(shop.seen.length).toBe(before);
});

test.each(STORY)("%s", async (_, tell) => {
  await tell({ url: nginx.url, shop, usher });
});
