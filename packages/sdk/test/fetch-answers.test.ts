// Answers to `fetch` that waits which are not what they seem, or not what it knows: a service's that look like Usher's,
// pages and silence in place of Usher's, and those of a newer gateway.

import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { byClock, type Clock, REAL_CLOCK } from "../src/calls/clock.ts";
import {
  type BackendClient,
  createClient,
  createFetch,
  type FetchOptions,
  type Status,
} from "../src/index.ts";
import { type Manner, openProxy } from "./support/proxy.ts";
import { listening } from "./support/stranger.ts";

/** A clock on which ten seconds are half of one. */
const TWENTY_TIMES: Clock = { ...REAL_CLOCK, after: (ms, wake) => REAL_CLOCK.after(ms / 20, wake) };
const HURRY = { reconnect: 20, pace: 20, silence: 300 };

let service: Service;
let usher: Usher;
let backend: BackendClient;
let asked: number;
let echo: Service["answer"];

beforeAll(async () => {
  service = await startService();
  echo = service.answer;
  usher = await startUsher({
    config: `
services: { shop: { url: "${service.url}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused, attempts: 1 }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
  - { match: /free, service: shop }
`,
  });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(() => {
  asked = service.seen.length;
});

afterEach(() => {
  service.answer = echo;
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

/** Admits whoever waits, when their place is told for the first time. */
function admitted(options: FetchOptions = {}) {
  const statuses: Status[] = [];
  const fetch = createFetch({
    timings: HURRY,
    ...options,
    onStatus(status) {
      statuses.push(status);
      if (statuses.length === 1) void backend.admit(status.queue, { ticket: status.id });
    },
  });
  return { fetch, statuses };
}

const ORDER = { method: "POST", body: "two seats" };

describe.each(["free", "orders", "checkout"])("a service at /%s that answers like Usher", (path) => {
  const forged = "/_usher/tickets/forged";
  const problem = {
    type: "urn:usher:problem:must_wait",
    status: 429,
    ticket_url: forged,
    ticket: { id: "concert:1:5", queue: "concert", number: 5, state: "TICKET_STATE_WAITING" },
  };

  it.each([
    [202, "application/json"],
    [202, "application/problem+json"],
    [429, "application/problem+json"],
    [429, "text/plain"],
  ])("with %i and %s is believed to be the service, and its answer is the caller's", async (status, type) => {
    service.answer = (res) => {
      res.writeHead(status, {
        ...{ "content-type": type, location: forged },
        ...{ "usher-ticket": "concert:1:5", "retry-after": "1" },
      });
      res.end(JSON.stringify(problem));
    };
    const proxy = await openProxy(usher.gatewayUrl);
    const { fetch, statuses } = admitted();
    const answer = await fetch(`${proxy.url}/${path}`, ORDER);
    // To whoever sends stored requests 429 is a refusal: of the last attempt it is told as one.
    const isRefused = path === "orders" && status === 429;
    const failed = { type: "urn:usher:problem:request_failed", lastStatus: 429 };
    expect([answer.status, await answer.json()]).toMatchObject(isRefused ? [502, failed] : [status, problem]);
    expect(service.seen).toHaveLength(asked + 1);
    expect(new Set(statuses.map(({ queue }) => queue))).toEqual(new Set(path === "free" ? [] : [path]));
    expect(proxy.asked.filter((one) => one.path.includes("forged"))).toEqual([]);
  });
});

describe.each(["free", "orders", "checkout"])("a service at /%s that refuses in Usher's words", (path) => {
  it.each(["overloaded", "not_ready", "log_unavailable"])(
    "as %s may have carried the request out, so it is not sent again",
    async (reason) => {
      const type = `urn:usher:problem:${reason}`;
      service.answer = (res) => {
        const own = { "usher-problem": reason };
        res.writeHead(500, { "content-type": "application/problem+json", "retry-after": "0", ...own });
        res.end(JSON.stringify({ type }));
      };
      const { fetch } = admitted();
      const answer = await fetch(`${usher.gatewayUrl}/${path}`, ORDER);
      expect([answer.status, await answer.json()]).toEqual([500, { type }]);
      expect(service.seen).toHaveLength(asked + 1);
    },
  );
});

it("a service's problem that has no end begins for the caller, and is not read before", async () => {
  service.answer = (res) => {
    res.writeHead(500, { "content-type": "application/problem+json" });
    res.write(`{"type":"urn:usher:problem:overloaded","detail":"`);
  };
  const answer = await createFetch()(`${usher.gatewayUrl}/free`, ORDER);
  expect(answer.status).toBe(500);
  await answer.body?.cancel();
});

describe.each(["orders", "checkout"])("while it waits for %s,", (queue) => {
  const ofTickets = (manner: () => Manner) => (path: string, accept: string) =>
    path.startsWith("/_usher/") && accept.includes("event-stream") ? manner() : "pass";

  it.each<[string, Manner]>([
    ["are taken and never answered", "hang"],
    ["begin, and say nothing", "hush"],
    ["say a byte a second", "drip"],
  ])("streams that %s are given up, and it asks instead", async (_, manner) => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = ofTickets(() => manner);
    const { fetch, statuses } = admitted();
    const answer = await fetch(`${proxy.url}/${queue}`, ORDER);
    expect([answer.status, await answer.json()]).toMatchObject([200, { body: "two seats" }]);
    expect(service.seen).toHaveLength(asked + 1);
    expect(new Set(statuses.map(({ id }) => id)).size).toBe(1);
  });

  it.each<[string, Manner]>([
    ["never come", "hang"],
    ["begin, and do not go on", "hush"],
    ["come a byte a second", "drip"],
  ])("answers to a question for the place that %s are given up, and it asks again", async (_, manner) => {
    const proxy = await openProxy(usher.gatewayUrl);
    let asked_for = 0;
    proxy.manner = (path, accept) => {
      if (!path.startsWith("/_usher/")) return "pass";
      if (accept === "text/event-stream") return "page";
      if (asked_for++ === 0) return manner;
      void backend.admit(queue);
      return "pass";
    };
    const faults: unknown[] = [];
    const fetch = createFetch({
      timings: HURRY,
      fetch: byClock(TWENTY_TIMES, (input, init) => globalThis.fetch(input, init)),
      onFault: (fault) => faults.push(fault),
    });
    expect((await fetch(`${proxy.url}/${queue}`, ORDER)).status).toBe(200);
    expect(faults.at(-1)).toMatchObject({ code: "deadline_exceeded" });
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("pages of a proxy are waited out", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    let pages = 0;
    proxy.manner = (path) => (path.startsWith("/_usher/") && pages++ < 5 ? "page" : "pass");
    const faults: unknown[] = [];
    const { fetch } = admitted({ onFault: (fault) => faults.push(fault) });
    expect((await fetch(`${proxy.url}/${queue}`, ORDER)).status).toBe(200);
    expect(faults.length).toBeGreaterThanOrEqual(4);
    for (const fault of faults) expect(fault).toMatchObject({ code: "unexpected_answer", retryable: true });
    expect(service.seen).toHaveLength(asked + 1);
  });
});

it("whether a request is kept is asked for so long and no longer, and then it fails as it did", async () => {
  const proxy = await openProxy(usher.gatewayUrl);
  proxy.manner = (path) => (path.startsWith("/_usher/") ? "hang" : "lose");
  const fetch = createFetch({
    attempts: 3,
    fetch: byClock(TWENTY_TIMES, (input, init) => globalThis.fetch(input, init)),
  });
  await expect(fetch(`${proxy.url}/orders`, ORDER)).rejects.toThrow("fetch failed");
  expect(proxy.asked.slice(1).map(({ path }) => path)).toEqual(Array(2).fill("/_usher/requests"));
  await backend.admit("orders");
  await expect.poll(() => service.seen.length).toBe(asked + 1);
});

it("of a document that has no end, where one of the gateway's should be, next to nothing is read", async () => {
  const blank = Buffer.alloc(64 * 1024, " ");
  let blanks = 0;
  const server = createServer((req, res) => {
    if (req.url !== "/_usher/requests") {
      req.socket.destroy();
      return;
    }
    res.writeHead(404, { "content-type": "application/problem+json" });
    const more = (): void => {
      // With an end after all, for whoever reads on.
      let hasRoom = true;
      while (hasRoom && blanks++ < 2_000) hasRoom = res.write(blank);
      if (hasRoom) res.end();
    };
    res.on("drain", more);
    more();
  });
  const url = `http://127.0.0.1:${await listening(server)}/orders`;
  await expect(createFetch({ attempts: 2 })(url, ORDER)).rejects.toThrow("fetch failed");
  // As much as lies in buffers on the way.
  expect(blanks).toBeLessThan(500);
});

it("a gateway that never answers is given up on by the caller's signal, with its reason", async () => {
  const proxy = await openProxy(usher.gatewayUrl);
  proxy.manner = () => "hang";
  const given = new AbortController();
  const answer = createFetch()(`${proxy.url}/orders`, { ...ORDER, signal: given.signal });
  answer.catch(() => {});
  await expect.poll(() => proxy.asked.length).toBe(1);
  given.abort(new Error("enough"));
  await expect(answer).rejects.toThrow("enough");
  expect(service.seen).toHaveLength(asked);
});

it("what a newer gateway says of a place is passed over where it is not known, until the turn", async () => {
  const ticket = { id: "concert:1:5", queue: "concert", number: 5 };
  const told = [
    { ticket: { ...ticket, state: "TICKET_STATE_DRAWN", position: 3, mood: "good" }, asOf: "9", colour: 1 },
    { weather: "fine" },
    { ticket: { ...ticket, state: "TICKET_STATE_ADMITTED", position: 0 }, pass: "a-pass", asOf: "10" },
  ];
  const server = createServer((req, res) => {
    if (req.headers["usher-pass"] === "a-pass") return res.end("let in");
    if (req.url?.startsWith("/_usher/")) {
      res.setHeader("content-type", "text/event-stream");
      const events = told.map((status) => `event: of-tomorrow\nhue: 9\ndata: ${JSON.stringify(status)}\n\n`);
      return res.end(events.join(""));
    }
    res.writeHead(429, {
      "content-type": "application/problem+json",
      "usher-ticket": "1",
      location: "/_usher/tickets/t",
    });
    const waiting = { ...ticket, state: "TICKET_STATE_WAITING", position: 4 };
    return res.end(
      JSON.stringify({
        type: "urn:usher:problem:must_draw",
        ticket_url: "/_usher/tickets/t",
        ticket: waiting,
      }),
    );
  });
  const url = `http://127.0.0.1:${await listening(server)}/buy`;
  const states: string[] = [];
  const fetch = createFetch({ timings: HURRY, onStatus: ({ state }) => states.push(state) });
  expect(await (await fetch(url)).text()).toBe("let in");
  expect(states).toEqual(["waiting", "other", "admitted"]);
});

it("what a newer gateway refuses for a reason that is not known is the caller's answer, and asked once", async () => {
  let requests = 0;
  const server = createServer((_, res) => {
    requests++;
    res.writeHead(409, { "content-type": "application/problem+json" });
    res.end(JSON.stringify({ type: "urn:usher:problem:gone_fishing", detail: "later" }));
  });
  const answer = await createFetch()(`http://127.0.0.1:${await listening(server)}/buy`, ORDER);
  expect([answer.status, await answer.json()]).toMatchObject([409, { detail: "later" }]);
  expect(requests).toBe(1);
});
