// Gateways before a pass queue, on one log in memory, and visitors who keep their cookies as browsers do.

import type { IncomingHttpHeaders } from "node:http";
import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import { Access, freshKeys, type Keys, Replica } from "@usher/replica";
import { type MemoryLog, MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { request } from "undici";
import { onTestFinished } from "vitest";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { openHttp } from "./service.ts";

export const QUEUE = "checkout";

export interface Node {
  readonly gateway: Gateway;
  readonly replica: Replica;
  readonly log: MemoryLog;
  readonly keys: Keys;
  /** What went wrong beside any call. */
  readonly faults: readonly Error[];
  /** Lets this node's clock on the wall leap, in ms; log time goes on as before. */
  leap(ms: number): void;
}

export interface NodeOptions {
  readonly store?: MemoryStore;
  readonly name?: string;
  readonly keys?: Keys;
  /** The port of the service behind it. */
  readonly service: number;
  readonly public_url?: string;
  /** Of the route. */
  readonly max_wait_ms?: number;
  readonly upgrade?: boolean;
  /** Of streams that tell a place. */
  readonly heartbeat_ms?: number;
  /** By default nobody is trusted. */
  readonly trusted_proxies?: readonly string[];
  /** By default none. */
  readonly allowed_origins?: readonly string[];
}

/** A gateway that sends everything through the queue. */
export async function openNode(options: NodeOptions): Promise<Node> {
  const { store = new MemoryStore({ shared: true }), name = "a", keys = freshKeys(), public_url } = options;
  const log = openMemoryLog({ store });
  const faults: Error[] = [];
  const onFault = (error: Error) => faults.push(error);
  const audiences = () => ["shop"];
  let leapt_ms = 0;
  const clock = { monotonic_ms: () => performance.now(), wall_ms: () => Date.now() + leapt_ms };
  const heartbeat = options.heartbeat_ms === undefined ? {} : { heartbeat_ms: options.heartbeat_ms };
  const replica = await Replica.open({ log, keys, node: name, clock, audiences, onFault, ...heartbeat });
  const gateway = await startGateway({
    port: 0,
    starting: () => "for a test",
    ...(public_url !== undefined && { public_url }),
    trusted_proxies: options.trusted_proxies ?? [],
    allowed_origins: options.allowed_origins ?? [],
    onFault,
  });
  const route = {
    path: "/*",
    service: "shop",
    queue: QUEUE,
    hold_ms: 0,
    timeout_ms: 20_000,
    max_wait_ms: options.max_wait_ms,
    upgrade: options.upgrade ?? false,
  };
  gateway.serve({
    replica,
    access: new Access({ keys, hashes: replica.hashes, require: "backends" }),
    services: { shop: { url: `http://127.0.0.1:${options.service}` } },
    routes: [{ ...route, idempotent: false, body_bytes: 1_000, response_bytes: 1_000 }],
    nodes: 1,
  });
  onTestFinished(async () => {
    log.mend();
    await gateway.close({ grace_ms: 0 });
    await replica.close();
    await log.close();
  });
  const leap = (ms: number) => {
    leapt_ms += ms;
  };
  return { gateway, replica, log, keys, faults, leap };
}

/** Makes the queue, or changes it. */
export async function configure(
  { replica }: Node,
  settings: Partial<Settings>,
  revision = (replica.fold.queue(QUEUE)?.revision ?? 0) + 1,
): Promise<void> {
  const all: Settings = {
    ...SETTINGS_DEFAULTS,
    ...{ kind: "pass", max_active: 1, max_wait_ms: 600_000 },
    ...replica.fold.queue(QUEUE)?.settings,
    ...settings,
  };
  await replica.configure(QUEUE, all, { revision, reason: "" });
}

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Shop {
  readonly port: number;
  /** The requests that reached it. */
  readonly seen: Seen[];
  /** Headers of its answers. */
  answerHeaders: Record<string, string | string[]>;
}

/** A service that answers everything at once, with what it was asked. */
export async function openShop(): Promise<Shop> {
  const seen: Seen[] = [];
  const port = await openHttp((req, res) => {
    req.resume();
    seen.push({ method: req.method ?? "", target: req.url ?? "", headers: req.headers });
    for (const [name, value] of Object.entries(shop.answerHeaders)) res.setHeader(name, value);
    res.end(`the shop's answer to ${req.method} ${req.url}`);
  });
  const shop: Shop = { port, seen, answerHeaders: {} };
  return shop;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What a browser says that shows somebody a page. */
export const NAVIGATION = {
  "sec-fetch-mode": "navigate",
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
};

/** Somebody with a cookie jar. */
export class Visitor {
  readonly cookies = new Map<string, string>();
  readonly #url: string;

  constructor({ gateway }: Pick<Node, "gateway">) {
    this.#url = gateway.url;
  }

  async ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await request(`${this.#url}${path}`, {
      method: method as "GET",
      headers: { ...(cookie !== "" && { cookie }), ...headers },
    });
    for (const line of [answer.headers["set-cookie"] ?? []].flat()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** Asks for a page, as a browser. */
  see(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask(path, { ...NAVIGATION, ...headers });
  }
}

/** The document of a problem. */
export function problemIn({ text }: Answer): Record<string, unknown> & { readonly ticket_url?: string } {
  return JSON.parse(text);
}
