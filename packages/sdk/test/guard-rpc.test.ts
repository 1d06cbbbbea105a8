// The guard before services of Connect and of grpc-js, with a pass that a real gateway gives out, and with the SDK's own
// clients and strangers' before it.

import { createServer, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient as createConnectClient, type Transport } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { Health, HealthCheckRequestSchema, HealthCheckResponseSchema } from "@usher/protocol/health";
import { QueueService } from "@usher/protocol/queue";
import { StatusSchema } from "@usher/protocol/status";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { grpcInterceptor } from "../src/guard/grpc.ts";
import { createGuard, type Guard } from "../src/guard.ts";
import { createClient } from "../src/index.ts";
import { type Guarded, listening } from "./support/guarded.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1000, max_active: 1000 }, max_wait: 1h }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;
const WAIT_AT = "https://tickets.example/concert";
/** Where nobody listens. */
const NOWHERE = "http://127.0.0.1:9/_usher/jwks.json";

let usher: Usher;
let guard: Guard;
let cold: Guard;
let pass: string;
let ticketId: string;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  using client = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
  const ticket = await client.issue("concert");
  pass = (await ticket.admitted()).pass ?? "";
  ticketId = ticket.id;
  const options = { queue: "concert", audience: "shop", waitAt: WAIT_AT };
  guard = createGuard({ ...options, jwks: `${usher.gatewayUrl}/_usher/jwks.json` });
  cold = createGuard({ ...options, jwks: NOWHERE });
});

afterAll(() => usher?.stop());

const REQUIRED = {
  reason: "PASS_REQUIRED",
  domain: "usher.guard",
  metadata: { queues: "concert", flaw: "missing", wait_at: WAIT_AT },
};

describe.each([
  ["Connect", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }), false],
  ["gRPC-web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }), false],
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl }), true],
] satisfies [string, (baseUrl: string) => Transport, boolean][])(
  "a service of Connect, over %s",
  (_, to, isHttp2) => {
    const open = async (guard: Guard): Promise<Guarded> => {
      const handler = connectNodeAdapter({
        interceptors: [guard.connect],
        routes: (router) => {
          router.service(QueueService, {
            getQueue: (_, { values }) => ({ queue: { name: guard.passOf(values).ticketId } }),
            async *watchPosition(_, { values }) {
              yield { status: { notice: guard.passOf(values).ticketId } };
            },
          });
        },
      });
      return listening(isHttp2 ? createHttp2Server(handler) : createServer(handler));
    };

    it("lets in who has a pass, and knows their ticket", async () => {
      await using service = await open(guard);
      const client = createConnectClient(QueueService, to(service.url));
      const headers = { "usher-pass": pass };
      expect(await client.getQueue({}, { headers })).toMatchObject({ queue: { name: ticketId } });
      const notices = [];
      for await (const { status } of client.watchPosition({}, { headers })) notices.push(status?.notice);
      expect(notices).toEqual([ticketId]);
    });

    it("tells everybody else where to wait", async () => {
      await using service = await open(guard);
      const client = createConnectClient(QueueService, to(service.url));
      for (const failing of [client.getQueue({}), client.watchPosition({})[Symbol.asyncIterator]().next()]) {
        const error = await thrownBy(failing);
        expect(error.code).toBe(Code.PermissionDenied);
        expect(error.rawMessage).toContain(WAIT_AT);
        expect(error.findDetails(ErrorInfoSchema)).toMatchObject([REQUIRED]);
      }
    });

    it("asks for another try while it has no keys", async () => {
      await using service = await open(cold);
      const client = createConnectClient(QueueService, to(service.url));
      const error = await thrownBy(client.getQueue({}, { headers: { "usher-pass": pass } }));
      expect(error.code).toBe(Code.Unavailable);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
        { reason: "KEYS_UNAVAILABLE", domain: "usher.guard" },
      ]);
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBeGreaterThanOrEqual(1n);
    });
  },
);

describe("a service of grpc-js", () => {
  it("lets in who has a pass, and knows their ticket", async () => {
    await using service = await grpc(guard);
    expect(await service.call("GetQueue", pass)).toBe(ticketId);
    expect(await service.call("WatchPosition", pass)).toBe(ticketId);
  });

  it("tells everybody else where to wait", async () => {
    await using service = await grpc(guard);
    for (const method of ["GetQueue", "WatchPosition"] as const)
      for (const [given, flaw] of [
        [[], "missing"],
        [[`${pass}x`], "malformed"],
        [[pass, pass], "malformed"],
      ] as const) {
        const error = await refusedOf(service.call(method, ...given));
        expect(error).toMatchObject({ code: status.PERMISSION_DENIED });
        expect(error.details).toContain(WAIT_AT);
        expect(infoOf(error)).toMatchObject({ ...REQUIRED, metadata: { ...REQUIRED.metadata, flaw } });
      }
  });

  it("asks for another try while it has no keys", async () => {
    await using service = await grpc(cold);
    const error = await refusedOf(service.call("GetQueue", pass));
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(infoOf(error)).toMatchObject({ reason: "KEYS_UNAVAILABLE", metadata: { queues: "concert" } });
  });

  it("answers whether it is well without a pass, unless it is to be guarded too", async () => {
    await using service = await grpc(guard);
    expect(await service.isServing()).toBe(true);
    await using closed = await grpc(guard, () => true);
    expect(await refusedOf(closed.isServing())).toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it("a call that is given up while its pass is checked does no harm", async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    await using slow = await listening(createServer((_, res) => asked.resolve(res)));
    const checking = createGuard({ jwks: `${slow.url}/jwks.json`, queue: "concert", audience: "shop" });
    await using service = await grpc(checking);
    const given = new AbortController();
    const failing = refusedOf(service.call("GetQueue", pass, given.signal));
    const answer = await asked.promise;
    given.abort();
    expect(await failing).toMatchObject({ code: status.CANCELLED });
    answer.end(await (await fetch(`${usher.gatewayUrl}/_usher/jwks.json`)).text());
    expect(await service.call("GetQueue", pass)).toBe(ticketId);
  });
});

interface GrpcService extends AsyncDisposable {
  /** What the handler has found: the ticket's id. */
  call(method: "GetQueue" | "WatchPosition", ...given: readonly (string | AbortSignal)[]): Promise<string>;
  isServing(): Promise<boolean>;
}

/** A service by hand, whose messages are texts, but for the health check. */
async function grpc(guard: Guard, guards?: (path: string) => boolean): Promise<GrpcService> {
  const server = new Server({ interceptors: [grpcInterceptor(guard, guards && { guards })] });
  const bytes = { requestSerialize: (b: Buffer) => b, requestDeserialize: (b: Buffer) => b };
  const texts = {
    ...bytes,
    responseSerialize: Buffer.from,
    responseDeserialize: String,
    requestStream: false,
  };
  const paths = { GetQueue: "/shop.Shop/GetQueue", WatchPosition: "/shop.Shop/WatchPosition" };
  const health = `/${Health.typeName}/Check`;
  server.addService(
    {
      getQueue: { ...texts, path: paths.GetQueue, responseStream: false },
      watchPosition: { ...texts, path: paths.WatchPosition, responseStream: true },
      check: {
        ...bytes,
        ...{ path: health, requestStream: false, responseStream: false },
        ...{ responseSerialize: (b: Buffer) => b, responseDeserialize: (b: Buffer) => b },
      },
    },
    {
      getQueue: (call: { metadata: Metadata }, done: (error: null, text: string) => void) =>
        done(null, guard.passOf(call.metadata).ticketId),
      watchPosition: (call: ServerWritableStream<Buffer, string>) => {
        call.write(guard.passOf(call.metadata).ticketId);
        call.end();
      },
      check: (_: unknown, done: (error: null, answer: Buffer) => void) =>
        done(
          null,
          Buffer.from(toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: 1 }))),
        ),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return {
    call(method, ...given) {
      const metadata = new Metadata();
      for (const one of given) if (typeof one === "string") metadata.add("usher-pass", one);
      return new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, text?: string) =>
          error ? reject(error) : resolve(text ?? "");
        const [path, request] = [paths[method], Buffer.alloc(0)];
        const call =
          method === "GetQueue"
            ? client.makeUnaryRequest(path, (b: Buffer) => b, String, request, metadata, done)
            : client
                .makeServerStreamRequest(path, (b: Buffer) => b, String, request, metadata)
                .on("data", resolve)
                .on("error", reject);
        for (const one of given)
          if (one instanceof AbortSignal) one.addEventListener("abort", () => call.cancel());
      });
    },
    isServing() {
      return new Promise((resolve, reject) => {
        const request = Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));
        client.makeUnaryRequest(
          health,
          (b: Buffer) => b,
          (b: Buffer) => fromBinary(HealthCheckResponseSchema, b),
          request,
          (error, answer) => (error ? reject(error) : resolve(answer?.status === 1)),
        );
      });
    },
    async [Symbol.asyncDispose]() {
      client.close();
      server.forceShutdown();
    },
  };
}

async function thrownBy(failing: Promise<unknown>): Promise<ConnectError> {
  return failing.then(
    () => expect.fail("it was let in"),
    (error: unknown) => ConnectError.from(error),
  );
}

async function refusedOf(failing: Promise<unknown>): Promise<ServiceError> {
  return failing.then(
    () => expect.fail("it was let in"),
    (error: unknown) => error as ServiceError,
  );
}

/** The reason in what came with the error, as any client of gRPC reads it. */
function infoOf({ metadata }: ServiceError): unknown {
  const [bytes] = metadata.get("grpc-status-details-bin");
  const { details } = fromBinary(StatusSchema, bytes as Buffer);
  const info = details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/${ErrorInfoSchema.typeName}`);
  return fromBinary(ErrorInfoSchema, info?.value ?? new Uint8Array());
}
