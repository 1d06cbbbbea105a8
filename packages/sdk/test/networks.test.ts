// Calls and watches over networks that get in the way, against the real program: proxies that cut streams, hold them
// back, answer in its place, lose answers, never answer, begin to and stop. Over gRPC and over Connect alike.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import {
  type BackendClient,
  type ClientOptions,
  createClient,
  type QueueClient,
  type Status,
  type UsherError,
} from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { openGrpcProxy } from "./support/grpc-proxy.ts";
import { type Manner, type Proxy as OddProxy, openProxy } from "./support/proxy.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;

/** As in the wild, and in a hurry. */
const HURRY = { timings: { reconnect: 20, pace: 20 }, timeout: 500 };

let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
});

type Options = Partial<ClientOptions>;

interface Way {
  readonly proxied: () => Promise<OddProxy>;
  readonly open: (baseUrl: string, options?: Options) => QueueClient;
  /** As what a page is known that a proxy answers with. */
  readonly page: string;
}

const WAYS: readonly [name: string, way: Way][] = [
  [
    "over gRPC",
    {
      proxied: () => openGrpcProxy(`http://${usher.nativeAddress}`),
      open: (baseUrl, options) => createClient({ ...HURRY, ...options, baseUrl, apiKey: usher.apiKey }),
      page: "unreachable",
    },
  ],
  [
    "over Connect",
    {
      proxied: () => openProxy(usher.gatewayUrl),
      open: (baseUrl, options) => createWebClient({ ...HURRY, ...options, baseUrl }),
      page: "unexpected_answer",
    },
  ],
];

function count({ asked }: OddProxy, method: string): number {
  return asked.filter(({ path }) => path.endsWith(`/${method}`)).length;
}

describe.each(WAYS)("%s, behind a proxy", (_, { proxied, open, page }) => {
  it.each<[string, Manner, fault: RegExp]>([
    ["cuts streams", "cut", /^(unreachable|unexpected_answer)$/],
    ["holds streams back", "buffer", /^deadline_exceeded$/],
    ["takes streams and never answers", "hang", /^deadline_exceeded$/],
    ["lets streams begin, and nothing of them through", "hush", /^deadline_exceeded$/],
    ["lets a byte a second through", "drip", /^deadline_exceeded$/],
  ])("that %s, a watch asks instead after the third, and misses nothing", async (_, manner, fault) => {
    const proxy = await proxied();
    let isAdmitted = false;
    // Who asks before that would be told to come back in five seconds.
    const asked = () => (isAdmitted ? "pass" : "page");
    proxy.manner = (path) =>
      path.endsWith("/WatchPosition") ? manner : path.endsWith("/GetTicket") ? asked() : "pass";
    using client = open(proxy.url);
    const ticket = await client.issue("concert");
    const faults: string[] = [];
    const third = Promise.withResolvers<void>();
    const onRetry = ({ code }: UsherError): void => {
      if (faults.push(code) === 3) third.resolve();
    };
    const admitting = third.promise.then(async () => {
      await backend.admit("concert", { ticket: ticket.id });
      isAdmitted = true;
    });
    const seen: Status[] = [];
    for await (const status of ticket.watch({ onRetry })) {
      seen.push(status);
      if (status.state === "admitted") break;
    }
    await admitting;
    expect(count(proxy, "GetTicket")).toBeGreaterThan(0);
    expect(count(proxy, "WatchPosition")).toBe(3);
    for (const code of faults.slice(0, 3)) expect(code).toMatch(fault);
    expect(seen.map(({ state }) => state)).toEqual(["waiting", "admitted"]);
    await backend.complete(ticket.id);
  });

  it.each<[string, Manner]>([
    ["loses the first answer", "lose"],
    ["never answers the first call", "hang"],
    ["begins to answer the first call, and stops", "hush"],
    ["answers the first call with a byte a second", "drip"],
  ])("that %s, a retry is the same ticket", async (_, manner) => {
    const proxy = await proxied();
    proxy.manner = () => (proxy.asked.length === 1 ? manner : "pass");
    using client = open(proxy.url);
    const { lastNumber } = await backend.queue("concert");
    const ticket = await client.issue("concert");
    expect([ticket.number, ticket.existing]).toEqual([lastNumber + 1, manner !== "hang"]);
    expect((await backend.queue("concert")).lastNumber).toBe(lastNumber + 1);
    await ticket.leave();
  });

  it("that never answers at all, a call is given up on after its attempts", async () => {
    const proxy = await proxied();
    proxy.manner = () => "hang";
    using client = open(proxy.url, { timeout: 50, attempts: 2 });
    const error = await client.issue("concert").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "deadline_exceeded", retryable: true, outcome: "unknown" });
    expect(proxy.asked).toHaveLength(2);
  });

  it("that answers with pages of its own for a while, calls and watches go on when it is over", async () => {
    const proxy = await proxied();
    const faults: string[] = [];
    using client = open(proxy.url);
    proxy.manner = () => (proxy.asked.length <= 2 ? "page" : "pass");
    const ticket = await client.issue("concert");
    expect(proxy.asked).toHaveLength(3);
    proxy.manner = () => "page";
    const watch = ticket.watch({ onRetry: ({ code }) => faults.push(code) });
    await watch.next();
    const next = watch.next();
    await expect.poll(() => faults.length).toBeGreaterThan(3);
    proxy.manner = () => "pass";
    await backend.admit("concert", { ticket: ticket.id });
    expect((await next).value).toMatchObject({ state: "admitted" });
    await watch.return();
    expect(new Set(faults)).toEqual(new Set([page]));
    await backend.complete(ticket.id);
  });
});
