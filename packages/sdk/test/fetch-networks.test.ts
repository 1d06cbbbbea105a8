// `fetch` that waits, behind proxies that get in the way, with storages that fail, and through a gateway that goes away.

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import {
  type BackendClient,
  createClient,
  createFetch,
  type FetchOptions,
  type Status,
} from "../src/index.ts";
import { MapStorage } from "./support/map-storage.ts";
import { openProxy } from "./support/proxy.ts";

const CONFIG = (service: string) => `
services: { shop: { url: "${service}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
  - { match: /free, service: shop }
`;

const TIMINGS = { reconnect: 20, pace: 20 };
const QUEUES = ["orders", "checkout"];

let service: Service;
let usher: Usher;
let backend: BackendClient;
let asked: number;

beforeAll(async () => {
  service = await startService();
  usher = await startUsher({ config: CONFIG(service.url) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(() => {
  asked = service.seen.length;
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

/** Admits the ticket at the first word of it, and does something more before. */
function admitted(options: FetchOptions = {}, before: () => Promise<void> = async () => {}) {
  const statuses: Status[] = [];
  const fetch = createFetch({
    timings: TIMINGS,
    ...options,
    onStatus(status) {
      statuses.push(status);
      if (statuses.length === 1) void before().then(() => backend.admit(status.queue, { ticket: status.id }));
    },
  });
  return { fetch, statuses };
}

describe.each(QUEUES)("a request for %s", (queue) => {
  const order = { method: "POST", body: "two seats" };

  it.each(["cut", "buffer"] as const)(
    "gets its answer behind a proxy that would %s streams",
    async (manner) => {
      const proxy = await openProxy(usher.gatewayUrl);
      proxy.manner = (_, accept) => (accept === "text/event-stream" ? manner : "pass");
      const { fetch } = admitted({ timings: { ...TIMINGS, silence: 300 } });
      const answer = await fetch(`${proxy.url}/${queue}`, order);
      expect(await answer.json()).toMatchObject({ body: "two seats" });
      expect(service.seen).toHaveLength(asked + 1);
    },
  );

  it("that changes nothing is sent again by itself when its answer gets lost", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => (proxy.asked.length === 1 ? "lose" : "pass");
    const { fetch } = admitted();
    expect((await fetch(`${proxy.url}/${queue}`)).status).toBe(200);
  });

  it("goes on through a gateway that is killed and comes back", async () => {
    const { fetch, statuses } = admitted({}, async () => {
      const { data, ports } = usher;
      await usher.kill();
      usher = await startUsher({ config: CONFIG(service.url), data, ports });
    });
    expect((await fetch(`${usher.gatewayUrl}/${queue}`, order)).status).toBe(200);
    expect(new Set(statuses.map(({ id }) => id)).size).toBe(1);
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("that nobody answers fails as fetch does", async () => {
    const fetch = createFetch({ attempts: 2 });
    await expect(fetch(`http://127.0.0.1:9/${queue}`, order)).rejects.toThrow(TypeError);
  });

  it("behind something else than Usher gets what that says", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => "page";
    const answer = await createFetch()(`${proxy.url}/${queue}`, order);
    expect([answer.status, await answer.text()]).toEqual([502, "<h1>Bad gateway</h1>"]);
  });

  it.each([
    ["is full", { getItem: () => null, setItem: throws, removeItem: () => {} }],
    ["is denied", { getItem: throws, setItem: throws, removeItem: throws }],
    ["holds something else", { getItem: () => "{]", setItem: () => {}, removeItem: () => {} }],
  ])("waits its turn with a storage that %s", async (_, storage) => {
    const faults: unknown[] = [];
    const { fetch } = admitted({ storage, onFault: (fault) => faults.push(fault) });
    expect((await fetch(`${usher.gatewayUrl}/${queue}`, order)).status).toBe(200);
    expect(service.seen).toHaveLength(asked + 1);
  });
});

describe("a request that changes something, and whose answer gets lost,", () => {
  const order = { method: "POST", body: "two seats" };

  type Losing = Awaited<ReturnType<typeof openProxy>>;

  /** A proxy that loses the first answers. */
  async function losing(answers = 1): Promise<Losing> {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => (proxy.asked.length <= answers ? "lose" : "pass");
    return proxy;
  }

  const pathsOf = (proxy: Losing) => proxy.asked.map(({ path }) => path.replace(/tickets.*/, "ticket"));

  it.each([1, 2])("is found where it is kept, and is carried out once: %i answers lost", async (answers) => {
    const proxy = await losing(answers);
    const { lastNumber } = await backend.queue("orders");
    const faults: unknown[] = [];
    const { fetch, statuses } = admitted({ onFault: (fault) => faults.push(fault) });
    const answer = await fetch(`${proxy.url}/orders?seat=1&to=%C3%A9`, order);
    expect(await answer.json()).toEqual({
      ...{ method: "POST", target: "/orders?seat=1&to=%C3%A9", body: "two seats" },
    });
    expect(service.seen).toHaveLength(asked + 1);
    expect(statuses[0]).toMatchObject({ number: lastNumber + 1, state: "waiting" });
    expect((await backend.queue("orders")).lastNumber).toBe(lastNumber + 1);
    expect(pathsOf(proxy).slice(0, answers + 2)).toEqual([
      "/orders?seat=1&to=%C3%A9",
      ...Array(answers).fill("/_usher/requests"),
      "/_usher/ticket",
    ]);
    expect(faults[0]).toBeInstanceOf(TypeError);
  });

  it("is found also when it has been answered meanwhile, and where redirects are not followed", async () => {
    const proxy = await losing();
    const late = createFetch({
      async fetch(input, init) {
        if (`${input}`.endsWith("/_usher/requests")) {
          const { waiting } = await backend.queue("orders");
          await backend.admit("orders", { count: waiting });
          // Others may be left in the line by tests before.
          await expect.poll(() => service.seen.slice(asked).map(({ body }) => body)).toContain("answered");
        }
        return globalThis.fetch(input, init);
      },
    });
    const init = { ...order, body: "answered", redirect: "error" } as const;
    const answer = await late(`${proxy.url}/orders`, init);
    expect(await answer.json()).toMatchObject({ body: "answered" });
  });

  it.each(["free", "checkout"])(
    "fails as fetch does where nobody keeps it (%s), and is sent once",
    async (path) => {
      const proxy = await losing();
      await expect(createFetch()(`${proxy.url}/${path}`, order)).rejects.toThrow(TypeError);
      expect(pathsOf(proxy)).toEqual([`/${path}`, "/_usher/requests", "/_usher/requests"]);
      expect(service.seen).toHaveLength(asked + (path === "free" ? 1 : 0));
    },
  );

  it("fails as fetch does where a key of the caller's own is another request's", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    const headers = { "idempotency-key": crypto.randomUUID() };
    await admitted().fetch(`${proxy.url}/orders`, { ...order, headers });
    proxy.manner = (path) => (path === "/orders" ? "lose" : "pass");
    const other = createFetch()(`${proxy.url}/orders`, { ...order, headers, body: "three seats" });
    await expect(other).rejects.toThrow(TypeError);
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("fails as fetch does when no answer comes through at all, and is sent once", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => "lose";
    await expect(createFetch({ attempts: 3 })(`${proxy.url}/free`, order)).rejects.toThrow(TypeError);
    expect(pathsOf(proxy)).toEqual(["/free", "/_usher/requests", "/_usher/requests"]);
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("is the same one when it is made again with a storage", async () => {
    const proxy = await losing();
    const { lastNumber } = await backend.queue("checkout");
    const storage = new MapStorage();
    await expect(createFetch({ storage })(`${proxy.url}/checkout`, order)).rejects.toThrow(TypeError);
    const { fetch, statuses } = admitted({ storage });
    expect((await fetch(`${proxy.url}/checkout`, order)).status).toBe(200);
    expect(new Set(statuses.map(({ number }) => number))).toEqual(new Set([lastNumber + 1]));
    expect(service.seen).toHaveLength(asked + 1);
  });

  it.each([
    ["answers questions with 404", 404],
    ["answers whatever is asked with a page", 200],
  ])("is sent once to a server without Usher that %s", async (_, status) => {
    const got: string[] = [];
    const plain = serverOf(async (req, res) => {
      got.push(`${req.method} ${req.url}`);
      await req.resume().toArray();
      if (req.method === "POST") res.destroy();
      else res.writeHead(status, { "content-type": "text/html" }).end("<h1>a shop</h1>");
    });
    const lost = createFetch()(`${await plain.listen()}/orders`, order);
    await expect(lost).rejects.toMatchObject({ message: "fetch failed", cause: { code: "UND_ERR_SOCKET" } });
    expect(got).toEqual(["POST /orders", "GET /_usher/requests"]);
  });

  it.each([1, 2])("is sent again where it surely never left: nobody listens, %i times", async (times) => {
    const port = await freePort();
    const got: string[] = [];
    const late = serverOf((req, res) => {
      got.push(`${req.method} ${req.url}`);
      res.end("sold");
    });
    const faults: unknown[] = [];
    const fetch = createFetch({
      fetch: async (input, init) => {
        if (faults.length === times) await late.listen(port);
        return globalThis.fetch(input, init);
      },
      onFault: (fault) => faults.push(fault),
    });
    const answer = await fetch(`http://127.0.0.1:${port}/orders`, order);
    expect([answer.status, await answer.text(), got]).toEqual([200, "sold", ["POST /orders"]]);
    expect(faults).toHaveLength(times);
  });

  it.each(["http://usher.invalid/orders", "http://localhost:4/orders"])(
    "is sent as often as it may be where it surely never left, and is not asked after: %s",
    async (address) => {
      const asked: string[] = [];
      const fetch = createFetch({
        attempts: 2,
        fetch: (input, init) => {
          asked.push(`${input}`);
          return globalThis.fetch(input, init);
        },
      });
      await expect(fetch(address, order)).rejects.toThrow(TypeError);
      expect(asked).toEqual([address, address]);
    },
  );

  it("is not sent again where the platform follows redirects, and one of those led nowhere", async () => {
    const nowhere = await freePort();
    const got: string[] = [];
    const sold = serverOf((req, res) => {
      got.push(`${req.method} ${req.url}`);
      res.writeHead(303, { location: `http://127.0.0.1:${nowhere}/` }).end();
    });
    // As in a page, where redirects are not shown.
    vi.stubGlobal("document", {});
    onTestFinished(() => void vi.unstubAllGlobals());
    const failed = createFetch()(`${await sold.listen()}/orders`, order);
    await expect(failed).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect(got.filter((line) => line.startsWith("POST"))).toEqual(["POST /orders"]);
  });

  it("rejects with the signal's reason when it is aborted while it is asked after", async () => {
    const given = new AbortController();
    const fetch = createFetch({
      async fetch(input) {
        if (`${input}`.endsWith("/_usher/requests")) given.abort(new Error("enough"));
        throw new TypeError("lost");
      },
    });
    await expect(fetch("http://shop.test/", { ...order, signal: given.signal })).rejects.toThrow("enough");
  });
});

it("an abort ends the request also where its place cannot be given up, and nothing is left to fail by itself", async () => {
  const given = new AbortController();
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on("unhandledRejection", note);
  const left = Promise.withResolvers<void>();
  const fetch = createFetch({
    fetch: async (input, init) => {
      if (init?.method !== "DELETE") return globalThis.fetch(input, init);
      left.resolve();
      throw new TypeError("the network is gone");
    },
    onStatus: () => given.abort(new Error("enough")),
  });
  const aborted = fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body: "x", signal: given.signal });
  await expect(aborted).rejects.toThrow("enough");
  await left.promise;
  await new Promise((turn) => setTimeout(turn));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
  await backend.admit("orders", { count: 1 });
});

it("a pass that leads to the line again and again is given up on, and paused for", async () => {
  const asks: string[] = [];
  const ticket = { id: "q:1:1", queue: "q", number: 1, state: "TICKET_STATE_ADMITTED", position: 0 };
  const answers = createFetch({
    fetch: async (input) => {
      const { pathname } = new URL(`${input}`);
      asks.push(pathname);
      if (pathname.startsWith("/_usher/")) {
        const event = `data: ${JSON.stringify({ ticket, pass: "p", asOf: "1" })}\n\n`;
        return new Response(event, { headers: { "content-type": "text/event-stream" } });
      }
      const problem = { type: "urn:usher:problem:must_wait", ticket_url: "/_usher/tickets/t" };
      const headers = { "content-type": "application/problem+json", "usher-ticket": "1" };
      return new Response(JSON.stringify(problem), { status: 429, headers });
    },
    timings: TIMINGS,
  });
  expect((await answers("http://usher.test/buy")).status).toBe(429);
  expect(asks.filter((path) => path === "/buy")).toHaveLength(6);
});

it("a record of the storage that leads nowhere does not keep a request from being sent", async () => {
  const storage = new MapStorage();
  const url = `${usher.gatewayUrl}/free`;
  for (const ticket of [
    "garbage",
    "http://elsewhere.test/_usher/tickets/t",
    `${usher.gatewayUrl}/_usher/tickets/x`,
  ]) {
    storage.setItem = (key, value) => {
      const kept = JSON.parse(key.includes("request") ? value : "{}");
      storage.items.set(key, key.includes("request") ? JSON.stringify({ ...kept, ticket }) : value);
    };
    const before = service.seen.length;
    // Its answer gets lost, so that the record stays.
    const lost = createFetch({ storage, fetch: async () => Promise.reject(new TypeError("lost")) });
    await lost(url, { method: "POST", body: ticket }).catch(() => {});
    const answer = await createFetch({ storage })(url, { method: "POST", body: ticket });
    expect([answer.status, service.seen.length]).toEqual([200, before + 1]);
  }
});

it("requests to other origins are left as they are", async () => {
  const other = await startService();
  const fetch = createFetch({ origins: [usher.gatewayUrl] });
  await fetch(new Request(`${other.url}/orders`, { method: "POST", body: "x" }));
  const [seen] = other.seen;
  expect(seen?.body).toBe("x");
  expect(Object.keys(seen?.headers ?? {}).filter((name) => /usher|idempotency/.test(name))).toEqual([]);
  await other.stop();
});

/** A server without Usher, for the time of a test. */
function serverOf(answer: RequestListener): { listen(port?: number): Promise<string> } {
  const server = createServer(answer);
  onTestFinished(async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((closed) => server.close(closed));
  });
  return {
    async listen(port = 0) {
      if (!server.listening) await once(server.listen(port, "127.0.0.1"), "listening");
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
  };
}

/** A port at which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function throws(): never {
  throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
}
