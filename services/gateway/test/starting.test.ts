// The port before there is anything to serve: it is there, says that it lives, and why it is not ready.

import { connect as connect2 } from "node:http2";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { Access, freshKeys, Replica } from "@usher/replica";
import { onRefusal } from "@usher/telemetry";
import { openMemoryLog } from "@usher/ticket-log";
import { expect, onTestFinished, test } from "vitest";
import { type Gateway, startGateway } from "../src/gateway.ts";
import { problemOf, Raw, statusOf } from "./support/raw.ts";
import { openHttp } from "./support/service.ts";

const KEYS = freshKeys();

interface Starting {
  readonly gateway: Gateway;
  /** What it is told to say. */
  why: string;
  serve(): Promise<void>;
}

async function openStarting(): Promise<Starting> {
  const starting: Starting = {
    gateway: await startGateway({
      host: "127.0.0.1",
      port: 0,
      starting: () => starting.why,
      onFault: () => undefined,
    }),
    why: "it opens the log",
    async serve() {
      const service = await openHttp((_req, res) => void res.end("from the service"));
      const log = openMemoryLog();
      const replica = await Replica.open({ log, keys: KEYS, node: "node", onFault: () => undefined });
      onTestFinished(async () => {
        await starting.gateway.close({ grace_ms: 0 });
        await replica.close();
        await log.close();
      });
      const limits = { hold_ms: 0, timeout_ms: 1_000, idempotent: false, body_bytes: 0, response_bytes: 0 };
      starting.gateway.serve({
        replica,
        access: new Access({ keys: KEYS, hashes: replica.hashes, require: "none" }),
        routes: [{ path: "/*", service: "s", ...limits }],
        services: { s: { url: `http://127.0.0.1:${service}` } },
        nodes: 1,
      });
    },
  };
  onTestFinished(() => starting.gateway.close({ grace_ms: 0 }));
  return starting;
}

test("it lives, and everything else is refused with the reason of that moment, and when to come again", async () => {
  const starting = await openStarting();
  const { url } = starting.gateway;
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  for (const why of ["it opens the log", "the log cannot be reached"]) {
    starting.why = why;
    for (const path of ["/readyz", "/anything", "/_usher/tickets/x"]) {
      const answer = await fetch(`${url}${path}`, { method: path === "/anything" ? "POST" : "GET" });
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(await answer.json()).toMatchObject({
        type: "urn:usher:problem:not_ready",
        detail: `this node is starting: ${why}`,
      });
    }
  }
});

test("who asks whether it is ready is told, and not counted among those who were turned away", async () => {
  const { gateway } = await openStarting();
  const turnedAway: string[] = [];
  onRefusal(({ reason }) => turnedAway.push(reason));
  onTestFinished(() => onRefusal(undefined));
  await (await fetch(`${gateway.url}/readyz`)).arrayBuffer();
  expect(turnedAway).toEqual([]);
  await (await fetch(`${gateway.url}/anything`)).arrayBuffer();
  expect(turnedAway).toEqual(["not_ready"]);
});

test("a client of any RPC protocol takes it for unavailable, which is worth another try", async () => {
  const { gateway } = await openStarting();
  for (const transport of [
    createConnectTransport({ baseUrl: gateway.url, httpVersion: "1.1" }),
    createGrpcTransport({ baseUrl: gateway.url }),
    createGrpcWebTransport({ baseUrl: gateway.url, httpVersion: "1.1" }),
  ]) {
    const error = await createClient(QueueService, transport)
      .getQueue({ queue: "q" })
      .catch((caught: unknown) => caught);
    expect(ConnectError.from(error).code).toBe(Code.Unavailable);
  }
});

test("once it serves, the connections that were there are served, over HTTP/1.1 and HTTP/2", async () => {
  const starting = await openStarting();
  const { gateway } = starting;
  const one = await Raw.open(gateway.port);
  one.send("GET /seats HTTP/1.1\r\nHost: a\r\n\r\n");
  const refused = await one.until(/\r\n\r\n\{.*\}\n/s);
  expect(statusOf(refused)).toBe(503);
  expect(problemOf(refused)).toMatchObject({ title: "This node is not ready" });
  const two = connect2(gateway.url);
  onTestFinished(() => two.destroy());
  expect(await statusOf2(two, "/seats")).toBe(503);
  await starting.serve();
  one.send("GET /seats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await one.closed()).toMatch(/HTTP\/1\.1 200 OK.*from the service/s);
  expect(await statusOf2(two, "/seats")).toBe(200);
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
});

test("it can be closed without ever having served", async () => {
  const { gateway } = await openStarting();
  await gateway.close({ grace_ms: 60_000 });
  await expect(fetch(`${gateway.url}/livez`)).rejects.toThrow();
});

function statusOf2(session: ReturnType<typeof connect2>, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path });
    stream.on("response", (headers) => resolve(headers[":status"])).on("error", reject);
    stream.resume();
  });
}
