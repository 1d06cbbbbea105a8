// A browser's question whether a page of another origin may call (the Fetch standard's CORS preflight), at a route with
// a queue: it brings no cookie and no key, so that nobody could ever come back for a ticket of its own.

import type { IncomingMessage, ServerResponse } from "node:http";
import { MemoryStore } from "@usher/ticket-log";
import { request } from "undici";
import { describe, expect, test } from "vitest";
import * as defer from "./support/defer-queue.ts";
import * as pass from "./support/pass-queue.ts";
import { openHttp } from "./support/service.ts";

const SHOP = "https://shop.example";
const OTHER = "https://other.example";
const preflight = (origin: string) => ({ origin, "access-control-request-method": "POST" });

/** Another than Usher's own, so that it is plain who has answered. */
const GRANTED = "https://granted.example";

/** A service that answers preflights itself. */
async function openService(): Promise<{ readonly port: number; readonly heard: string[] }> {
  const heard: string[] = [];
  const port = await openHttp((req: IncomingMessage, res: ServerResponse) => {
    heard.push(req.method ?? "");
    res.writeHead(204, { "Access-Control-Allow-Origin": GRANTED }).end();
  });
  return { port, heard };
}

interface Asked {
  readonly status: number;
  /** Whom it lets read, if anybody. */
  readonly granted: string | undefined;
  readonly type: string | undefined;
}

async function ask(url: string, headers: Record<string, string>): Promise<Asked> {
  const answer = await request(`${url}/orders`, { method: "OPTIONS", headers });
  const text = await answer.body.text();
  const granted = answer.headers["access-control-allow-origin"];
  const isProblem = answer.headers["content-type"] === "application/problem+json";
  const type: unknown = isProblem ? JSON.parse(text).type : undefined;
  return {
    status: answer.statusCode,
    granted: typeof granted === "string" ? granted : undefined,
    type: typeof type === "string" ? type : undefined,
  };
}

const REFUSED: Asked = { status: 429, granted: undefined, type: "urn:usher:problem:must_wait" };
const BY_SERVICE: Asked = { status: 204, granted: GRANTED, type: undefined };
const BY_USHER: Asked = { status: 204, granted: SHOP, type: undefined };

async function openDefer(
  settings: Parameters<typeof defer.configure>[1],
  allowed_origins: readonly string[] = [],
) {
  const service = await openService();
  const node = await defer.openNode({
    ...{ store: new MemoryStore(), name: "a", service: service.port, nodes: 1, allowed_origins },
  });
  await defer.configure(node, settings, 1);
  const issued = () => node.replica.fold.queue(defer.QUEUE)?.lastNumber;
  return { url: node.gateway.url, heard: service.heard, issued };
}

async function openPass(
  settings: Parameters<typeof pass.configure>[1],
  allowed_origins: readonly string[] = [],
) {
  const service = await openService();
  const node = await pass.openNode({ service: service.port, allowed_origins });
  await pass.configure(node, settings);
  const issued = () => node.replica.fold.queue(pass.QUEUE)?.lastNumber;
  return { url: node.gateway.url, heard: service.heard, issued };
}

const ORIGINS: readonly (readonly [string, string, readonly string[]])[] = [
  ["of an origin that is not allowed", OTHER, [SHOP]],
  ["where no origin is allowed", OTHER, []],
];

describe("before a queue of stored requests, a preflight", () => {
  test.each(ORIGINS)(
    "%s goes to the service while that copes, and takes no ticket",
    async (_, origin, allowed) => {
      const { url, heard, issued } = await openDefer({ mode: "auto" }, allowed);
      expect(await ask(url, preflight(origin))).toEqual(BY_SERVICE);
      expect([heard, issued()]).toEqual([["OPTIONS"], 0]);
    },
  );

  test.each(ORIGINS)(
    "%s is refused where it would have to wait, and takes no ticket",
    async (_, origin, allowed) => {
      const { url, heard, issued } = await openDefer({ mode: "queue_all" }, allowed);
      expect(await ask(url, preflight(origin))).toEqual(REFUSED);
      // Nor with a key of its own, which a program may send along.
      const key = { "idempotency-key": "a-key-of-more-than-22-characters" };
      expect(await ask(url, { ...preflight(origin), ...key })).toEqual(REFUSED);
      expect([heard, issued()]).toEqual([[], 0]);
    },
  );

  test("of an allowed origin is answered by Usher, whether there is a line or not", async () => {
    for (const mode of ["auto", "queue_all", "closed"] as const) {
      const { url, heard, issued } = await openDefer({ mode }, [SHOP]);
      expect(await ask(url, preflight(SHOP))).toEqual(BY_USHER);
      expect([heard, issued()]).toEqual([[], 0]);
    }
  });

  test("is refused as all newcomers are where the queue takes none", async () => {
    const { url, heard } = await openDefer({ mode: "closed" });
    expect(await ask(url, preflight(OTHER))).toMatchObject({
      status: 503,
      type: "urn:usher:problem:queue_closed",
    });
    expect(heard).toEqual([]);
  });

  test("is one only with an origin and a method to ask about: any other OPTIONS waits as requests do", async () => {
    const { url, heard, issued } = await openDefer({ mode: "queue_all", max_active: 1 });
    const others: Record<string, string>[] = [
      {},
      { origin: OTHER },
      { "access-control-request-method": "POST" },
    ];
    for (const headers of others) expect((await ask(url, headers)).status).toBe(202);
    expect(issued()).toBe(others.length);
    expect(heard.length).toBeLessThanOrEqual(others.length);
  });
});

describe("before a queue of people, a preflight", () => {
  test.each(ORIGINS)(
    "%s is refused, and takes no place, whether there is a line or not",
    async (_, origin, allowed) => {
      for (const settings of [{ max_active: 1 }, { mode: "paused" }] as const) {
        const { url, heard, issued } = await openPass(settings, allowed);
        expect(await ask(url, preflight(origin))).toEqual(REFUSED);
        expect([heard, issued()]).toEqual([[], 0]);
      }
    },
  );

  test("goes to the service where everybody does: in mode open", async () => {
    const { url, heard, issued } = await openPass({ mode: "open" }, [SHOP]);
    expect(await ask(url, preflight(OTHER))).toEqual(BY_SERVICE);
    expect([heard, issued()]).toEqual([["OPTIONS"], 0]);
  });

  test("of an allowed origin is answered by Usher", async () => {
    const { url, heard, issued } = await openPass({ mode: "paused" }, [SHOP]);
    expect(await ask(url, preflight(SHOP))).toEqual(BY_USHER);
    expect([heard, issued()]).toEqual([[], 0]);
  });

  test("is one only with an origin and a method to ask about: any other OPTIONS takes a place", async () => {
    const { url, issued } = await openPass({ mode: "paused" });
    const others: Record<string, string>[] = [
      {},
      { origin: OTHER },
      { "access-control-request-method": "POST" },
    ];
    for (const headers of others) expect((await ask(url, headers)).status).toBe(429);
    expect(issued()).toBe(others.length);
  });
});
