// What the page of another site has a visitor's browser send to a queue of people: without the visitor's cookies, and with
// an answer that nobody may read (the Fetch standard's metadata tell of it).

import { expect, test } from "vitest";
import { configure, type Node, openNode, openShop, QUEUE, Visitor } from "./support/pass-queue.ts";

const SHOP = "https://shop.example";
const image = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" };
const form = {
  ...{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", origin: SHOP, accept: "text/html" },
};
const script = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", origin: SHOP };
const issued = (node: Node) => node.replica.fold.queue(QUEUE)?.lastNumber;
async function openQueue(allowed_origins: readonly string[] = []) {
  const shop = await openShop();
  const node = await openNode({ service: shop.port, allowed_origins });
  await configure(node, { max_active: 5 });
  return { node, shop };
}

test.each([
  ["a picture", image, "GET", [SHOP]],
  ["a frame", { ...form, "sec-fetch-dest": "iframe" }, "GET", [SHOP]],
  ["a form", form, "POST", [SHOP]],
  ["a script whose page may not read the answer", script, "GET", ["https://other.example"]],
  ["a preflight's like without a question", { ...script, "sec-fetch-mode": "no-cors" }, "POST", [SHOP]],
] as const)(
  "%s, sent by another site's page, takes no place, though there is room, and is told what to do",
  async (_, headers, method, allowed) => {
    const { node, shop } = await openQueue(allowed);
    const answer = await new Visitor(node).ask("/a.png", headers, method);
    expect(answer.status).toBe(429);
    expect(answer.text).toMatch(/open the address itself|Open this site in your browser/);
    expect([issued(node), shop.seen.length]).toEqual([0, 0]);
  },
);

test("what another site's page sends is as good as anything else where it says who it is for, or its script may read the answer, or somebody follows a link", async () => {
  const { node, shop } = await openQueue([SHOP]);
  const secrets: readonly Record<string, string>[] = [
    { "usher-visitor": "A".repeat(22) },
    { "idempotency-key": "k".repeat(22) },
  ];
  for (const secret of secrets) {
    const answer = await new Visitor(node).ask("/a.png", { ...image, ...secret });
    expect(answer.status).toBe(200);
  }
  const told = await new Visitor(node).ask("/a", script);
  expect([told.status, told.headers["usher-pass"]]).toEqual([200, expect.stringMatching(/^eyJ/)]);
  // The pass is a secret of its own.
  const pass = `${told.headers["usher-pass"]}`;
  expect((await new Visitor(node).ask("/a.png", { ...image, "usher-pass": pass })).status).toBe(200);
  expect((await new Visitor(node).see("/", { "sec-fetch-site": "cross-site" })).status).toBe(200);
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "document" };
  expect((await new Visitor(node).see("/", link)).status).toBe(200);
  expect([issued(node), shop.seen.length]).toEqual([5, 6]);
});

test("what another site's page sends goes to the service where everybody does: in mode open", async () => {
  const { node, shop } = await openQueue();
  await configure(node, { mode: "open" });
  expect((await new Visitor(node).ask("/a.png", image)).status).toBe(200);
  expect(shop.seen).toHaveLength(1);
});
