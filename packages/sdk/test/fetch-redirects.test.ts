// Redirects, as `fetch` follows them: a service's, behind a gateway, and to another origin.

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type BackendClient, createClient, createFetch, type FetchOptions } from "../src/index.ts";

const CONFIG = (service: string) => `
services: { shop: { url: "${service}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders*, service: shop, queue: orders, hold: 0s }
  - { match: /checkout*, service: shop, queue: checkout }
  - { match: /*, service: shop }
`;

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Redirects where it is told to (`?status=…&to=…`), and answers everything else. */
class Shop {
  readonly seen: Seen[] = [];
  readonly #server: Server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString();
    const { method = "", url = "", headers } = req;
    this.seen.push({ method, url, headers, body });
    const { searchParams } = new URL(url, "http://shop");
    const location = searchParams.get("to");
    const status = Number(searchParams.get("status") ?? 200);
    res.writeHead(status, location === null ? {} : { location: Buffer.from(location).toString("latin1") });
    res.end(`answered ${method} ${url}`);
  });

  async listen(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }
}

const [shop, other] = [new Shop(), new Shop()];
let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  await Promise.all([shop.listen(), other.listen()]);
  usher = await startUsher({ config: CONFIG(shop.url) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(() => {
  for (const { seen } of [shop, other]) seen.splice(0);
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await Promise.all([shop.close(), other.close()]);
});

function leading(path: string, status: number, to: string): string {
  return `${usher.gatewayUrl}${path}?${new URLSearchParams({ status: `${status}`, to })}`;
}

/** Admits every ticket that it tells of, and counts them. */
function admitted(options: FetchOptions = {}) {
  const ids = new Set<string>();
  const fetch = createFetch({
    origins: [usher.gatewayUrl],
    ...options,
    onStatus({ id, queue, state }) {
      if (state === "waiting" && !ids.has(id)) void backend.admit(queue, { ticket: id });
      ids.add(id);
    },
  });
  return { fetch, ids };
}

const OWN = /^(usher-|idempotency-key$)/;
const ownIn = ({ headers }: Seen) => Object.keys(headers).filter((name) => OWN.test(name));

describe.each(["free", "orders", "checkout"])("a service's redirect to another origin (%s)", (path) => {
  it.each([302, 303, 307])("takes none of Usher's headers along: %i", async (status) => {
    const { fetch } = admitted();
    const headers = { authorization: "Bearer ann", "x-mine": "1", "content-type": "text/plain" };
    const url = leading(`/${path}`, status, `${other.url}/there`);
    const answer = await fetch(url, { method: "POST", body: "two seats", headers });
    const method = status === 307 ? "POST" : "GET";
    expect(await answer.text()).toBe(`answered ${method} /there`);
    expect([answer.url, answer.redirected]).toEqual([`${other.url}/there`, true]);
    expect(shop.seen).toHaveLength(1);
    const [there] = other.seen as [Seen];
    expect(ownIn(there)).toEqual([]);
    expect(there.headers).toMatchObject({ "x-mine": "1" });
    expect(there.headers.authorization).toBeUndefined();
    expect([there.body, there.headers["content-type"]]).toEqual(
      status === 307 ? ["two seats", "text/plain"] : ["", undefined],
    );
  });

  it("takes a key of the caller's own along, and what is new there is not who it was here", async () => {
    const { fetch } = admitted({ origins: [usher.gatewayUrl, other.url] });
    const key = crypto.randomUUID();
    const init = { method: "POST", body: "x", headers: { "idempotency-key": key } };
    await fetch(leading(`/${path}`, 307, `${other.url}/there`), init);
    const [there] = other.seen as [Seen];
    expect(there.headers["idempotency-key"]).toBe(key);
    expect(there.headers["usher-visitor"]).toMatch(/^[\w-]{22}$/);
    const { fetch: second } = admitted({ origins: [usher.gatewayUrl, other.url] });
    await second(leading("/free", 302, `${other.url}/there`));
    const visitors = other.seen.map(({ headers }) => headers["usher-visitor"]);
    expect(new Set(visitors).size).toBe(2);
    expect(there.headers["usher-pass"]).toBeUndefined();
  });

  it("leads on to what waits as well", async () => {
    const { fetch, ids } = admitted();
    const url = leading(`/${path}`, 303, "/checkout/seats");
    const answer = await fetch(url, { method: "POST", body: "two seats" });
    expect(await answer.text()).toBe("answered GET /checkout/seats");
    expect([answer.url, answer.redirected]).toEqual([`${usher.gatewayUrl}/checkout/seats`, true]);
    const [, seats] = shop.seen as [Seen, Seen];
    expect(shop.seen).toHaveLength(2);
    expect(seats.headers["usher-pass"]).toBeDefined();
    // One visitor has one pass, wherever it leads.
    expect(ids.size).toBe(path === "orders" ? 2 : 1);
  });
});

describe("like fetch itself, createFetch", () => {
  /** What came of it, and what the service saw of it. */
  async function made(how: typeof fetch, url: string, init: RequestInit) {
    shop.seen.splice(0);
    const answer = await how(url, init).catch((error: unknown) => error as TypeError);
    const seen = shop.seen.map(({ method, url, headers, body }) => ({
      ...{ method, url, body, type: headers["content-type"], language: headers["content-language"] },
      ...{ authorization: headers.authorization, length: headers["content-length"] },
    }));
    if (!(answer instanceof Response)) return { seen, failed: answer.constructor.name };
    const { status, url: at, redirected, type } = answer;
    return { seen, status, at, redirected, type, text: await answer.text() };
  }

  const BODY = {
    body: "x",
    headers: { "content-type": "a/b", "content-language": "en", authorization: "me" },
  };
  const rows = [301, 302, 303, 307, 308].flatMap((status) =>
    ["GET", "HEAD", "POST", "PUT", "DELETE"].map((method) => [status, method] as const),
  );

  it.each(rows)("follows %i after %s", async (status, method) => {
    const init = { method, ...(method === "POST" || method === "PUT" ? BODY : {}) };
    const url = leading("/a/b", status, "../c?d=1#e");
    expect(await made(createFetch(), url, init)).toEqual(await made(fetch, url, init));
    expect(shop.seen).toHaveLength(2);
  });

  it.each([
    ["bytes of UTF-8", "/caf\u00e9", "follow"],
    ["no address", "http://", "follow"],
    ["another scheme", "ftp://shop.test/", "follow"],
    ["credentials", "http://ann:secret@127.0.0.1/", "follow"],
    ["itself, and again", "", "follow"],
    ["anywhere, where that is an error", "/c", "error"],
    ["anywhere, where it is to be told", "/c", "manual"],
  ] as const)("treats what leads to %s", async (_, to, redirect) => {
    const url = leading("/a", 302, to);
    const plain = await made(fetch, url, { redirect });
    expect(await made(createFetch(), url, { redirect })).toEqual(plain);
    if (to === "") expect(shop.seen).toHaveLength(21);
  });

  it("takes a redirect's status without an address for an answer", async () => {
    const url = `${usher.gatewayUrl}/a?status=302`;
    expect(await made(createFetch(), url, {})).toEqual(await made(fetch, url, {}));
  });

  it("follows with a Request, and with what it says beside its address", async () => {
    const url = leading("/a", 307, "/c");
    const request = () => new Request(url, { method: "POST", ...BODY });
    const through = (how: typeof fetch) => made((_, init) => how(request(), init), url, {});
    expect(await through(createFetch())).toEqual(await through(fetch));
  });
});

describe("where the platform follows redirects, as in a page,", () => {
  beforeEach(() => {
    vi.stubGlobal("document", {});
    return () => vi.unstubAllGlobals();
  });

  it("what a redirect led to the line is not sent again for it", async () => {
    const { fetch } = admitted();
    const url = leading("/free", 303, "/checkout/seats");
    const answer = await fetch(url, { method: "POST", body: "two seats" });
    expect(await answer.json()).toMatchObject({ status: 429, type: "urn:usher:problem:must_wait" });
    expect(shop.seen.map(({ method }) => method)).toEqual(["POST"]);
  });

  it("what changes nothing waits its turn all the same", async () => {
    const { fetch } = admitted();
    const answer = await fetch(leading("/free", 302, "/checkout/seats"));
    expect(await answer.text()).toBe("answered GET /checkout/seats");
  });

  it("what a redirect led to is kept and waited for where it is a request that waits", async () => {
    const { fetch } = admitted();
    const answer = await fetch(leading("/free", 307, "/orders"), { method: "POST", body: "two seats" });
    expect(await answer.text()).toBe("answered POST /orders");
    expect(shop.seen.map(({ url }) => url.replace(/\?.*/, ""))).toEqual(["/free", "/orders"]);
  });

  it("what a redirect led to a node that cannot take it is not sent again for it", async () => {
    let sent = 0;
    const fetch = createFetch({
      async fetch() {
        sent++;
        const problem = { type: "urn:usher:problem:not_ready", detail: "it starts" };
        const headers = { "content-type": "application/problem+json", "usher-problem": "not_ready" };
        const response = new Response(JSON.stringify(problem), { status: 503, headers });
        return Object.defineProperty(response, "redirected", { value: true });
      },
    });
    expect((await fetch("http://shop.test/", { method: "POST", body: "x" })).status).toBe(503);
    expect(sent).toBe(1);
  });
});

it("is one request until the redirect's end: made again after it failed there, it is not carried out twice", async () => {
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const order = { method: "POST", body: "two seats" };
  const url = leading("/orders", 303, `${other.url}/there`);
  const { fetch } = admitted({
    storage,
    fetch: (input, init) =>
      `${input}`.startsWith(other.url)
        ? Promise.reject(new TypeError("lost"))
        : globalThis.fetch(input, init),
  });
  await expect(fetch(url, order)).rejects.toThrow("lost");
  const { fetch: again } = admitted({ storage });
  expect(await (await again(url, order)).text()).toBe("answered GET /there");
  expect(shop.seen).toHaveLength(1);
  expect([...items.keys()].filter((key) => key.includes("request"))).toEqual([]);
});
