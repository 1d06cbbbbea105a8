// People who wait for a pass queue: who gets through, with what, and what those are told who do not.

import { createPublicKey, randomBytes, verify } from "node:crypto";
import { formatTicketId } from "@usher/replica";
import { expect, test, vi } from "vitest";
import { waitTooLong } from "../src/waiting/long-wait.ts";
import {
  configure,
  NAVIGATION,
  type Node,
  openNode,
  openShop,
  problemIn,
  QUEUE,
  type Shop,
  Visitor,
} from "./support/pass-queue.ts";

const PATIENCE = { timeout: 20_000, interval: 20 };

async function open(
  settings: Parameters<typeof configure>[1] = {},
  options: { public_url?: string; max_wait_ms?: number } = {},
): Promise<{ node: Node; shop: Shop }> {
  const shop = await openShop();
  const node = await openNode({ service: shop.port, ...options });
  await configure(node, settings);
  return { node, shop };
}

async function complete({ replica }: Node, number: number): Promise<void> {
  const id = formatTicketId({ queue: QUEUE, epoch: replica.epoch(), number });
  await replica.desk.complete(replica.desk.named(id));
}

test("the first visitor goes straight through, with a pass for the service and cookies for the next time", async () => {
  const { node, shop } = await open();
  const ann = new Visitor(node);
  const answer = await ann.see("/checkout");
  expect([answer.status, answer.text]).toEqual([200, "the shop's answer to GET /checkout"]);
  expect([...ann.cookies.keys()].toSorted()).toEqual([`usher-pass-${QUEUE}`, "usher-visitor"]);
  expect([answer.headers["set-cookie"]].flat()).toEqual([
    expect.stringMatching(/^usher-visitor=[\w-]{22}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/),
    expect.stringMatching(/^usher-pass-checkout=[\w.-]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/),
  ]);
  expect(answer.headers["cache-control"]).toBe("private");
  expect(shop.seen[0]?.headers["usher-pass"]).toBe(ann.cookies.get(`usher-pass-${QUEUE}`));
  expect(shop.seen[0]?.headers.cookie).toBeUndefined();

  const again = await ann.see("/checkout/pay");
  expect(again.status).toBe(200);
  expect(again.headers["set-cookie"]).toBeUndefined();
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(1);
});

test("a service can check the pass by itself, with the keys that are published", async () => {
  const { node, shop } = await open();
  await new Visitor(node).see("/");
  const keys = await new Visitor(node).ask("/_usher/jwks.json");
  expect(keys.headers["cache-control"]).toBe("public, max-age=60");
  const [head = "", body = "", signature = ""] = `${shop.seen[0]?.headers["usher-pass"]}`.split(".");
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
  const { alg, typ, kid } = read(head);
  expect([alg, typ]).toEqual(["EdDSA", "usher-pass+jwt"]);
  const jwk = JSON.parse(keys.text).keys.find((key: { kid: string }) => key.kid === kid);
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const signed = Buffer.from(`${head}.${body}`);
  expect(verify(null, signed, publicKey, Buffer.from(signature, "base64url"))).toBe(true);
  const sub = `${QUEUE}:${node.replica.epoch()}:1`;
  expect(read(body)).toMatchObject({ iss: "usher", aud: ["shop"], queue: QUEUE, sub });
});

test("a program that has to wait gets 429 with its place, and the pass at the ticket when its turn comes", async () => {
  const { node } = await open();
  await new Visitor(node).ask("/");
  const bob = new Visitor(node);
  const answer = await bob.ask("/buy", { accept: "application/json" }, "POST");
  expect(answer.status).toBe(429);
  expect(answer.headers).toMatchObject({
    "content-type": "application/problem+json",
    "retry-after": expect.stringMatching(/^\d+$/),
    "usher-ticket": "2",
    "cache-control": "no-store",
    vary: "Cookie, Accept, Accept-Language",
  });
  const problem = problemIn(answer);
  expect(problem).toMatchObject({
    type: "urn:usher:problem:must_wait",
    ticket: { number: 2, position: 1, state: "TICKET_STATE_WAITING" },
  });
  const url = `${problem.ticket_url}`;
  expect(answer.headers.location).toBe(url);
  const head = await bob.ask("/buy", {}, "HEAD");
  expect([head.status, head.headers.location, head.text]).toEqual([429, url, ""]);
  expect(JSON.parse((await bob.ask(url)).text)).toMatchObject({ ticket: { number: 2, position: 1 } });
  await complete(node, 1);
  const status = JSON.parse((await bob.ask(url)).text);
  expect(status.ticket).toMatchObject({ state: "TICKET_STATE_ADMITTED", position: 0 });
  const through = await new Visitor(node).ask("/buy", { "usher-pass": status.pass }, "POST");
  expect([through.status, through.text]).toEqual([200, "the shop's answer to POST /buy"]);
});

test("a browser gets the waiting page, and the service's own at its turn", async () => {
  const { node } = await open();
  await new Visitor(node).see("/");
  const bob = new Visitor(node);
  const page = await bob.see("/checkout?step=1", { "accept-language": "en" });
  expect(page.status).toBe(202);
  expect(page.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    vary: "Cookie, Accept, Accept-Language",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
    "retry-after": expect.stringMatching(/^\d+$/),
  });
  expect(page.text).toContain("You are in line");
  expect(page.text).toMatch(/<noscript><meta http-equiv="refresh" content="\d+"><\/noscript>/);
  const again = await bob.see("/checkout?step=1", { "accept-language": "ko" });
  expect(again.text).toContain("대기 중입니다");
  for (const { text } of [page, again]) expect(Buffer.byteLength(text)).toBeLessThan(12 * 1024);
  expect(again.headers["usher-ticket"]).toBe("2");
  await complete(node, 1);
  expect((await bob.see("/checkout?step=1")).text).toBe("the shop's answer to GET /checkout?step=1");
});

test("a form that was sent is not passed on, and its page says so", async () => {
  const { node, shop } = await open();
  await new Visitor(node).see("/");
  const bob = new Visitor(node);
  const page = await bob.ask("/order", { ...NAVIGATION, "accept-language": "en" }, "POST");
  expect(page.status).toBe(429);
  expect(page.text).toContain("what you sent was not passed on");
  expect(page.text).not.toContain("http-equiv");
  expect(shop.seen).toHaveLength(1);
});

for (const [wants, language, words] of [
  ["ko", "ko", "대기 중입니다"],
  ["fr, ko;q=0.5, en;q=0.4", "ko", "대기 중입니다"],
  ["en-GB, ko;q=0.9", "en", "You are in line"],
  ["ko;q=0, fr", "en", "You are in line"],
  ["", "en", "You are in line"],
])
  test(`who wants "${wants}" reads ${language}`, async () => {
    const { node } = await open();
    await new Visitor(node).see("/");
    const page = await new Visitor(node).see("/", { "accept-language": wants });
    expect(page.text).toContain(`<html lang="${language}"`);
    expect(page.text).toContain(words);
    expect(page.headers["content-language"]).toBe(language);
  });

test("the operator's notice stands on the page as text, whatever is in it", async () => {
  const { node } = await open({ notice: `<img src=x onerror=alert(1)> & "more" </script>` });
  await new Visitor(node).see("/");
  const { text } = await new Visitor(node).see("/");
  expect(text).toContain("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;more&quot; &lt;/script&gt;");
  expect(text).not.toContain("<img");
  expect(text.match(/<\/script>/g)).toHaveLength(2);
});

test("PAUSED: everybody takes a place and nobody goes through, and the page says that the line is paused", async () => {
  const { node, shop } = await open({ mode: "paused" });
  const page = await new Visitor(node).see("/", { "accept-language": "en" });
  expect(page.status).toBe(202);
  expect(page.text).toContain("The line is paused");
  expect(shop.seen).toEqual([]);
});

test("OPEN: newcomers go through without a ticket, and who waits is let in at the limit", async () => {
  const { node, shop } = await open();
  await new Visitor(node).see("/");
  const bob = new Visitor(node);
  await bob.see("/");
  await configure(node, { mode: "open" });
  const newcomer = new Visitor(node);
  expect((await newcomer.see("/")).status).toBe(200);
  expect(newcomer.cookies.size).toBe(0);
  expect(shop.seen.at(-1)?.headers["usher-pass"]).toBeUndefined();
  expect((await bob.see("/")).status).toBe(202);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(2);
});

test("CLOSED: newcomers are refused in words, those who wait keep their place, and passes go on", async () => {
  const { node } = await open();
  const [ann, bob] = [new Visitor(node), new Visitor(node)];
  await ann.see("/");
  await bob.see("/");
  await configure(node, { mode: "closed" });
  expect((await ann.see("/")).status).toBe(200);
  expect((await bob.see("/")).status).toBe(202);
  const program = await new Visitor(node).ask("/");
  expect([program.status, problemIn(program).type]).toEqual([503, "urn:usher:problem:queue_closed"]);
  const page = await new Visitor(node).see("/", { "accept-language": "en" });
  expect([page.status, page.headers["content-type"]]).toEqual([503, "text/html; charset=utf-8"]);
  expect(page.text).toContain("Closed for now");
  await configure(node, { notice: "Back <b>at ten</b>." });
  expect((await new Visitor(node).see("/")).text).toContain("Back &lt;b&gt;at ten&lt;/b&gt;.");
  expect(problemIn(await new Visitor(node).ask("/")).notice).toBe("Back <b>at ten</b>.");
  await complete(node, 1);
  expect((await bob.see("/")).status).toBe(200);
});

test("a visitor's own key is as good as a cookie, and too short a one is none", async () => {
  const { node } = await open({ mode: "paused" });
  const key = { "idempotency-key": "a-key-that-nobody-guesses" };
  for (let n = 0; n < 3; n += 1) {
    const answer = await new Visitor(node).ask("/", key);
    expect(answer.headers["usher-ticket"]).toBe("1");
    expect(answer.headers["set-cookie"]).toBeUndefined();
  }
  const short = await new Visitor(node).ask("/", { "idempotency-key": "short" });
  expect(short.headers["usher-ticket"]).toBe("2");
  expect(short.headers["set-cookie"]).toMatch(/^usher-visitor=/);
});

test("a caller with an API key has one place, and a wrong key is refused", async () => {
  const { node } = await open({ mode: "paused" });
  const [{ key = "" } = {}] = node.keys.api_keys;
  for (let n = 0; n < 2; n += 1)
    expect((await new Visitor(node).ask("/", { "usher-api-key": key })).headers["usher-ticket"]).toBe("1");
  expect((await new Visitor(node).ask("/", { "usher-api-key": "wrong" })).status).toBe(401);
});

test("a program without cookies reads its pass in the answer, and a page's scripts do not", async () => {
  const { node } = await open();
  const key = { "idempotency-key": "a-key-that-nobody-guesses" };
  const answer = await new Visitor(node).ask("/", key);
  const pass = `${answer.headers["usher-pass"]}`;
  expect((await new Visitor(node).ask("/", { "usher-pass": pass })).status).toBe(200);
  const ann = new Visitor(node);
  await configure(node, { max_active: 2 });
  expect((await ann.see("/")).headers["usher-pass"]).toBeUndefined();
  ann.cookies.delete(`usher-pass-${QUEUE}`);
  const script = await ann.ask("/", { "sec-fetch-mode": "cors" });
  expect(script.headers["set-cookie"]).toBeDefined();
  expect(script.headers["usher-pass"]).toBeUndefined();
});

test("a preflight takes no place in the line", async () => {
  const { node, shop } = await open();
  const preflight = { origin: "https://other.example", "access-control-request-method": "POST" };
  const answer = await new Visitor(node).ask("/", preflight, "OPTIONS");
  expect([answer.status, shop.seen.length]).toEqual([429, 0]);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(0);
});

test("who would wait longer than the route allows is told so, and gets no place", async () => {
  const { node } = await open({}, { max_wait_ms: 1 });
  await new Visitor(node).ask("/");
  await new Visitor(node).ask("/");
  // Somebody is let through, so that there is a pace.
  await complete(node, 1);
  await vi.waitFor(() => expect(node.replica.fold.queue(QUEUE)?.pace).toBeDefined(), PATIENCE);
  const program = await new Visitor(node).ask("/");
  expect([program.status, problemIn(program).type]).toEqual([503, "urn:usher:problem:wait_too_long"]);
  const page = await new Visitor(node).see("/", { "accept-language": "en" });
  expect([page.status, page.text.includes("The line is too long")]).toEqual([503, true]);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(2);
});

test("while the log is not read on, no wait is told, and nobody is refused for it", async () => {
  const { node } = await open({}, { max_wait_ms: 1 });
  await new Visitor(node).ask("/");
  await new Visitor(node).ask("/");
  await complete(node, 1);
  const { desk, fold } = node.replica;
  const queue = desk.queue(QUEUE);
  await vi.waitFor(() => expect(fold.queue(QUEUE)?.pace).toBeDefined(), PATIENCE);
  const route = { max_wait_ms: 1 };
  expect(waitTooLong(desk, QUEUE, route)).toBeDefined();
  node.log.cut();
  await vi.waitFor(() => expect(node.replica.stale).toBe(true), PATIENCE);
  expect(queue.newcomerWait_ms()).toBeGreaterThan(1);
  expect(waitTooLong(desk, QUEUE, route)).toBeUndefined();
});

test("where clients speak https, cookies are bound to the host, and plain ones do not count", async () => {
  const { node } = await open({}, { public_url: "https://tickets.example.com" });
  const ann = new Visitor(node);
  const answer = await ann.see("/");
  for (const line of [answer.headers["set-cookie"] ?? []].flat())
    expect(line).toMatch(/^__Host-usher-.*; Path=\/; .*; Secure$/);
  expect((await ann.see("/")).status).toBe(200);
  const plain = new Visitor(node);
  for (const [name, value] of ann.cookies) plain.cookies.set(name.replace("__Host-", ""), value);
  expect((await plain.see("/")).status).toBe(202);
});

test("a session goes on while it is used, and the service and the browser get the new pass", async () => {
  const { node, shop } = await open({ session_ms: 3_000 });
  const ann = new Visitor(node);
  await ann.see("/");
  const first = ann.cookies.get(`usher-pass-${QUEUE}`);
  const extensions = () => node.replica.fold.queue(QUEUE)?.ticket(1)?.session?.extensions;
  expect(extensions()).toBe(0);
  await vi.waitFor(async () => {
    expect((await ann.see("/")).status).toBe(200);
    expect(extensions()).toBe(1);
  }, PATIENCE);
  await ann.see("/");
  expect(ann.cookies.get(`usher-pass-${QUEUE}`)).not.toBe(first);
  expect(shop.seen.at(-1)?.headers["usher-pass"]).toBe(ann.cookies.get(`usher-pass-${QUEUE}`));
});

test("whoever comes back after the pass is over, and before the slot is freed, has a pass again that services take", async () => {
  const { node, shop } = await open({ session_ms: 600_000 });
  const ann = new Visitor(node);
  await ann.see("/");
  const now_ms = node.replica.fold.now_ms;
  await vi.waitFor(() => expect(node.replica.fold.now_ms).toBeGreaterThan(now_ms), PATIENCE);
  node.leap(601_000);
  expect((await ann.see("/")).status).toBe(200);
  const [, body = ""] = `${shop.seen.at(-1)?.headers["usher-pass"]}`.split(".");
  const { exp } = JSON.parse(Buffer.from(body, "base64url").toString());
  expect(exp * 1000).toBeGreaterThan(Date.now() + 601_000 + 590_000);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(1);
});

test("an over pass is never handed out as good, where sessions have become shorter, and log time stood still", async () => {
  const { node, shop } = await open({ session_ms: 600_000 });
  const ann = new Visitor(node);
  await ann.see("/");
  await configure(node, { session_ms: 5_000 });
  node.leap(601_000);
  for (const extensions of [1, 2]) {
    expect((await ann.see("/")).status).toBe(200);
    const [, body = ""] = `${shop.seen.at(-1)?.headers["usher-pass"]}`.split(".");
    const { exp } = JSON.parse(Buffer.from(body, "base64url").toString());
    const wall_ms = Date.now() + 601_000 * extensions;
    expect(exp * 1000).toBeGreaterThan(wall_ms + 3_000);
    expect(exp * 1000).toBeLessThan(wall_ms + 6_000);
    expect(node.replica.fold.queue(QUEUE)?.ticket(1)?.session?.extensions).toBe(extensions);
    node.leap(601_000);
  }
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(1);
});

test("while the log cannot be written, passes work, and those who wait see their place", async () => {
  const { node } = await open();
  const [ann, bob] = [new Visitor(node), new Visitor(node)];
  await ann.see("/");
  await bob.see("/");
  node.log.cut();
  expect((await ann.see("/")).status).toBe(200);
  expect((await bob.see("/")).headers["usher-ticket"]).toBe("2");
});

test("a node that cannot read the log says on the page that the place is the last that it knew", async () => {
  const { node } = await open();
  await new Visitor(node).see("/");
  const bob = new Visitor(node);
  expect((await bob.see("/")).text).toMatch(/data-text="stale"\s+hidden/);
  node.log.cut();
  await vi.waitFor(async () => {
    const page = await bob.see("/", { "accept-language": "en" });
    expect([page.status, page.headers["usher-ticket"]]).toEqual([202, "2"]);
    expect(page.text).toContain('data-text="stale">The line cannot be reached just now.');
  }, PATIENCE);
  // Newcomers are told to come again, and that nothing has happened.
  const newcomer = await new Visitor(node).see("/", { "accept-language": "en" });
  expect([newcomer.status, newcomer.headers["retry-after"]]).toEqual([503, "1"]);
  expect(newcomer.text).toContain("No places can be given out just now");
});

test("leaving by the page's form gives the place up, without scripts and without cookies", async () => {
  const { node } = await open();
  await new Visitor(node).see("/");
  const bob = new Visitor(node);
  const page = await bob.see("/checkout", { "accept-language": "en" });
  const [, action = ""] = /<form method="post" action="([^"]+)"/.exec(page.text) ?? [];
  const left = await new Visitor(node).ask(action, { ...NAVIGATION, "accept-language": "en" }, "POST");
  expect([left.status, left.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  expect(left.text).toContain("You have left the line");
  expect(left.text).toContain('href="/checkout"');
  expect(node.replica.fold.queue(QUEUE)?.ticket(2)?.state).toBe("left");
  expect((await bob.see("/checkout")).headers["usher-ticket"]).toBe("3");
});

for (const to of [
  "//evil.example",
  "/\\evil.example",
  "https://evil.example/",
  "/a\\b",
  "javascript:alert(1)",
])
  test(`a ticket's page leads nowhere else: ${to}`, async () => {
    const { node } = await open();
    await new Visitor(node).see("/");
    const waiting = problemIn(await new Visitor(node).ask("/"));
    const page = await new Visitor(node).see(`${waiting.ticket_url}?to=${encodeURIComponent(to)}`);
    expect(page.status).toBe(200);
    expect(page.text).not.toContain("evil");
    expect(page.text).not.toContain("javascript:");
  });

test("who says a secret of their own in a header is one visitor: at once, later, and by the cookie that it becomes", async () => {
  const shop = await openShop();
  const node = await openNode({ service: shop.port });
  await configure(node, { mode: "paused" });
  const secret = randomBytes(16).toString("base64url");
  const said = { "usher-visitor": secret };
  const visitor = new Visitor(node);
  const both = await Promise.all([visitor.ask("/a", said), new Visitor(node).ask("/b", said, "POST")]);
  expect(both.map(({ status, headers }) => [status, headers["usher-ticket"]])).toEqual([
    [429, "1"],
    [429, "1"],
  ]);
  expect(visitor.cookies.get("usher-visitor")).toBe(secret);
  expect((await visitor.ask("/")).headers["usher-ticket"]).toBe("1");
  // Whoever has a cookie goes by it.
  const bob = new Visitor(node);
  await bob.ask("/");
  expect((await bob.ask("/", said)).headers["usher-ticket"]).toBe("2");
});

test("the secret is the gateway's alone, and what is none is refused", async () => {
  const shop = await openShop();
  const node = await openNode({ service: shop.port });
  await configure(node, {});
  const secret = randomBytes(16).toString("base64url");
  expect((await new Visitor(node).ask("/", { "usher-visitor": secret })).status).toBe(200);
  expect(JSON.stringify(shop.seen)).not.toContain(secret);
  for (const odd of ["", "ann", `${secret}x`, secret.slice(1), `${secret.slice(1)} `, "a".repeat(5_000)]) {
    const answer = await new Visitor(node).ask("/", { "usher-visitor": odd });
    expect([answer.status, problemIn(answer).type]).toEqual([400, "urn:usher:problem:request_malformed"]);
  }
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(1);
});
