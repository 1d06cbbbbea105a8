// RPCs, as a collector and a scraper see them: a span and a count for each, on both ports and in every protocol.

import { Code, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { counted } from "../support/metrics.ts";
import { Collector, type Span } from "../support/otlp.ts";
import { RawGrpc } from "../support/raw-grpc.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const CALLER = "00f067aa0ba902b7";
const SERVICE = "usher.queue.v1.QueueService";

let collector: Collector;
let usher: Usher;

beforeAll(async () => {
  collector = await Collector.start();
  usher = await startUsher({
    config: "queues: { line: { kind: pass, mode: paused, limit: { max_active: 1 }, max_wait: 1h } }",
    demo: true,
    env: collector.environment(),
  });
});

afterAll(async () => {
  await usher?.stop();
  await collector?.stop();
});

let traces = 0;

/** Another trace for each test. */
function caller(): { traceId: string; headers: { traceparent: string } } {
  const traceId = `4bf92f3577b34da6a3ce929d0e0e${(++traces).toString(16).padStart(4, "0")}`;
  return { traceId, headers: { traceparent: `00-${traceId}-${CALLER}-01` } };
}

/** The server's span of that trace, once it has been exported. */
function spanOf(traceId: string): Promise<Span> {
  return eventually(() => {
    const [span] = collector.trace(traceId).filter(({ kind }) => kind === "server");
    if (span === undefined) throw new Error("the call has no span yet");
    return span;
  });
}

interface Way {
  readonly name: string;
  readonly protocol: "connect" | "grpc" | "grpc_web";
  readonly system: "connectrpc" | "grpc";
  readonly transport: () => Transport;
}

const gateway = () => usher.gatewayUrl;
const ways: readonly Way[] = [
  {
    name: "Connect",
    protocol: "connect",
    system: "connectrpc",
    transport: () => createConnectTransport({ baseUrl: gateway(), httpVersion: "1.1" }),
  },
  {
    name: "Connect over HTTP/2",
    protocol: "connect",
    system: "connectrpc",
    transport: () => createConnectTransport({ baseUrl: gateway(), httpVersion: "2" }),
  },
  {
    name: "gRPC-Web",
    protocol: "grpc_web",
    system: "grpc",
    transport: () => createGrpcWebTransport({ baseUrl: gateway(), httpVersion: "1.1" }),
  },
  {
    name: "gRPC on the gateway's port",
    protocol: "grpc",
    system: "grpc",
    transport: () => createGrpcTransport({ baseUrl: gateway() }),
  },
  {
    name: "gRPC on the native port",
    protocol: "grpc",
    system: "grpc",
    transport: () => createGrpcTransport({ baseUrl: `http://${usher.nativeAddress}` }),
  },
];

describe.each(ways)("by $name", ({ protocol, system, transport }) => {
  function count(method: string, code: string): Promise<number> {
    const labels = `method="${SERVICE}/${method}",protocol="${protocol}",code="${code}"`;
    return counted(usher, "usher_rpc_calls_total", labels);
  }

  test("a call has a span in its caller's trace, what it appends is within, and it is counted", async () => {
    const { traceId, headers } = caller();
    const before = await count("Issue", "OK");
    await createClient(QueueService, transport()).issue({ queue: "line" }, { headers });
    const span = await spanOf(traceId);
    expect(span).toMatchObject({ name: `${SERVICE}/Issue`, parentId: CALLER, failed: false });
    expect(span.attributes).toMatchObject({
      "rpc.system.name": system,
      "rpc.method": `${SERVICE}/Issue`,
      "rpc.status_code": "OK",
    });
    const append = collector.trace(traceId).find(({ name }) => name === "append ticket_issued");
    expect(append?.parentId).toBe(span.spanId);
    await eventually(async () => expect(await count("Issue", "OK")).toBe(before + 1));
  });

  test("a call that is refused tells its code, and blames who called", async () => {
    const { traceId, headers } = caller();
    const before = await count("Issue", "NOT_FOUND");
    const calling = createClient(QueueService, transport()).issue({ queue: "nowhere" }, { headers });
    await expect(calling).rejects.toMatchObject({ code: Code.NotFound });
    const span = await spanOf(traceId);
    expect(span.attributes["rpc.status_code"]).toBe("NOT_FOUND");
    expect(span.failed).toBe(false);
    await eventually(async () => expect(await count("Issue", "NOT_FOUND")).toBe(before + 1));
  });

  test("a stream has a span that ends with it", async () => {
    const client = createClient(QueueService, transport());
    const { token } = await client.issue({ queue: "line" });
    const { traceId, headers } = caller();
    // Either side's clock may cut it off first.
    const ends = async () =>
      (await count("WatchPosition", "DEADLINE_EXCEEDED")) + (await count("WatchPosition", "CANCELLED"));
    const before = await ends();
    const stream = client.watchPosition({ token }, { headers, timeoutMs: 300 })[Symbol.asyncIterator]();
    expect((await stream.next()).done).toBe(false);
    await expect(stream.next()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    const span = await spanOf(traceId);
    expect(span).toMatchObject({ name: `${SERVICE}/WatchPosition`, parentId: CALLER });
    expect(["DEADLINE_EXCEEDED", "CANCELLED"]).toContain(span.attributes["rpc.status_code"]);
    await eventually(async () => expect(await ends()).toBe(before + 1));
  });
});

describe.each([
  ["the gateway's port", () => usher.gatewayUrl],
  ["the native port", () => `http://${usher.nativeAddress}`],
])("on %s", (_, url) => {
  test("what is called that is not there is told without its name", async () => {
    const { traceId, headers } = caller();
    const client = new RawGrpc(url());
    const refused = await client.call(`/${SERVICE}/Swordfish`, Buffer.alloc(5), headers);
    client.close();
    expect(refused).toEqual({ http: 200, code: "Unimplemented", reason: "NOT_IMPLEMENTED" });
    const span = await spanOf(traceId);
    expect(span).toMatchObject({ name: "grpc", parentId: CALLER, failed: true });
    expect(span.attributes).toMatchObject({ "rpc.method": "_OTHER", "rpc.status_code": "UNIMPLEMENTED" });
    expect(collector.raw.join("\n")).not.toContain("Swordfish");
  });

  test("the span of a stream is not over while the stream is not", async () => {
    const issuing = createClient(QueueService, createGrpcTransport({ baseUrl: url() }));
    const { token } = await issuing.issue({ queue: "line" });
    const { traceId, headers } = caller();
    const leaving = new AbortController();
    const stream = issuing.watchPosition({ token }, { headers, signal: leaving.signal });
    const watched = stream[Symbol.asyncIterator]();
    await watched.next();
    const other = caller();
    await issuing.issue({ queue: "line" }, { headers: other.headers });
    await spanOf(other.traceId);
    expect(collector.trace(traceId)).toEqual([]);
    leaving.abort();
    await expect(watched.next()).rejects.toMatchObject({ code: Code.Canceled });
    expect((await spanOf(traceId)).attributes["rpc.status_code"]).toBe("CANCELLED");
  });
});

test("health and reflection, which tools ask again and again, have no span", async () => {
  const { traceId, headers } = caller();
  const client = new RawGrpc(`http://${usher.nativeAddress}`);
  const told = await client.call("/grpc.health.v1.Health/Check", Buffer.alloc(5), headers);
  client.close();
  expect(told.http).toBe(200);
  const after = caller();
  const transport = createGrpcTransport({ baseUrl: `http://${usher.nativeAddress}` });
  await createClient(QueueService, transport).issue({ queue: "line" }, { headers: after.headers });
  await spanOf(after.traceId);
  expect(collector.trace(traceId)).toEqual([]);
});
