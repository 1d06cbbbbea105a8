// Opening, health, closing.

import { once } from "node:events";
import { createServer } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@usher/protocol/health";
import { QueueService } from "@usher/protocol/queue";
import { describe, expect, it, onTestFinished } from "vitest";
import { ListenError, startNativeListener } from "../src/index.ts";
import { Line, quietPlaces } from "./support/line.ts";
import { refusalOf, startListening, until } from "./support/listening.ts";
import { answerOf, frame, RawConnection } from "./support/raw.ts";

describe("opening", () => {
  it("on a port in use fails, and says which port and what to do", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const starting = startNativeListener({
      host: "localhost",
      port,
      services: Line.OFFERED,
      starting: () => "for a test",
      onError: () => {},
    });
    const error = await refusalOf(starting);
    expect(error).toBeInstanceOf(ListenError);
    expect(error).toMatchObject({ code: "EADDRINUSE" });
    expect(String(error)).toContain(`port ${port} on localhost is in use by another program: stop it, or`);
  });

  it("on an address that is not this machine's fails, and says which", async () => {
    const starting = startNativeListener({
      host: "192.0.2.1",
      port: 0,
      services: Line.OFFERED,
      starting: () => "for a test",
      onError: () => {},
    });
    expect(String(await refusalOf(starting))).toContain("192.0.2.1");
  });

  it("on localhost is reached by its name and by its addresses", async () => {
    const line = new Line();
    const listener = await startNativeListener({
      host: "localhost",
      port: 0,
      services: Line.OFFERED,
      starting: () => "for a test",
      onError: () => {},
    });
    onTestFinished(() => listener.close({ grace_ms: 0 }));
    listener.serve(line.services());
    for (const host of ["localhost", "127.0.0.1"]) {
      const transport = createGrpcTransport({ baseUrl: `http://${host}:${listener.port}` });
      await createClient(QueueService, transport).issue({ queue: "orders" });
    }
    expect(line.issued).toBe(2);
  });

  it("of two listeners in one process keeps them apart", async () => {
    const [one, two] = [await startListening({ message_bytes: 10 }), await startListening()];
    expect(ConnectError.from(await refusalOf(one.client.issue({ queue: "a-long-name" }))).code).toBe(
      Code.ResourceExhausted,
    );
    await two.client.issue({ queue: "a-long-name" });
    expect([one.line.issued, two.line.issued]).toEqual([0, 1]);
  });
});

describe("before there is anything to serve", () => {
  async function startStarting() {
    const why = { text: "it reads the log" };
    const errors: unknown[] = [];
    const listener = await startNativeListener({
      host: "127.0.0.1",
      port: 0,
      services: Line.OFFERED,
      starting: () => why.text,
      onError: (error) => errors.push(error),
    });
    onTestFinished(() => listener.close({ grace_ms: 0 }));
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${listener.port}` });
    return { listener, why, errors, transport, client: createClient(QueueService, transport) };
  }

  it("every call and every stream is told so, with the reason at that time, and to come again", async () => {
    const { client, why, errors } = await startStarting();
    const unary = ConnectError.from(await refusalOf(client.issue({ queue: "orders" })));
    expect(unary.code).toBe(Code.Unavailable);
    expect(unary.rawMessage).toBe("This node is starting: it reads the log.");
    expect(unary.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "NOT_READY" }]);
    expect(unary.findDetails(RetryInfoSchema)).toHaveLength(1);
    why.text = "the log cannot be reached";
    const stream = (async () => {
      for await (const _ of client.watchPosition({ token: "t" })) {
        // There is none.
      }
    })();
    const refusal = ConnectError.from(await refusalOf(stream));
    expect(refusal.code).toBe(Code.Unavailable);
    expect(refusal.rawMessage).toBe("This node is starting: the log cannot be reached.");
    // It is no fault of ours.
    expect(errors).toEqual([]);
  });

  it("health says NOT_SERVING of what is offered, and goes on saying so until it is told", async () => {
    const { listener, transport } = await startStarting();
    const health = createClient(Health, transport);
    const service = "usher.queue.v1.QueueService";
    expect((await health.check({ service })).status).toBe(Serving.NOT_SERVING);
    listener.serve(new Line().services());
    expect((await health.check({ service })).status).toBe(Serving.NOT_SERVING);
  });

  it("from serving on, the same connection is answered", async () => {
    const { listener, client, transport } = await startStarting();
    const session = createClient(Health, transport).watch({ service: "" })[Symbol.asyncIterator]();
    await session.next();
    await refusalOf(client.issue({ queue: "orders" }));
    const line = new Line();
    listener.serve(line.services());
    expect((await client.issue({ queue: "orders" })).status?.ticket?.number).toBe(1);
    // The stream that was open all along tells it.
    listener.setServing(true);
    expect((await session.next()).value?.status).toBe(Serving.SERVING);
  });

  it("what is offered must be served, all of it", async () => {
    const { listener } = await startStarting();
    expect(() => listener.serve(new Line().services().slice(1))).toThrow(/QueueService is offered here/);
  });
});

describe("health", () => {
  it("says NOT_SERVING until told otherwise, of the server and of each service", async () => {
    const { url, listener } = await startListening();
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
    const names = ["", "usher.admin.v1.AdminService", "usher.queue.v1.QueueService"];
    for (const serving of [false, true]) {
      listener.setServing(serving);
      const status = serving ? Serving.SERVING : Serving.NOT_SERVING;
      for (const service of names) {
        expect((await health.check({ service })).status).toBe(status);
      }
      const { statuses } = await health.list({});
      expect(Object.keys(statuses).sort()).toEqual(names);
      expect(new Set(Object.values(statuses).map((entry) => entry.status))).toEqual(new Set([status]));
    }
  });

  it("knows no other service", async () => {
    const { url } = await startListening();
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
    const error = await refusalOf(health.check({ service: "usher.queue.v1.Nothing" }));
    expect(ConnectError.from(error).code).toBe(Code.NotFound);
    for await (const { status } of health.watch({ service: "usher.queue.v1.Nothing" })) {
      expect(status).toBe(Serving.SERVICE_UNKNOWN);
      break;
    }
  });

  it("tells every change to those who watch, and the last one is NOT_SERVING", async () => {
    const { url, listener } = await startListening();
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
    const seen: Serving[] = [];
    const watching = (async () => {
      for await (const { status } of health.watch({ service: "usher.queue.v1.QueueService" })) {
        seen.push(status);
      }
    })();
    await until(() => seen.length === 1);
    listener.setServing(false);
    await until(() => seen.length === 2);
    listener.setServing(true);
    await until(() => seen.length === 3);
    const closed = listener.close({ grace_ms: 60_000 });
    expect(ConnectError.from(await refusalOf(watching)).code).toBe(Code.Unavailable);
    expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING, Serving.NOT_SERVING]);
    await closed;
  });
});

describe("closing", () => {
  it("lets what is under way end, and takes nothing new", async () => {
    const { client, line, listener, url } = await startListening();
    let answer = () => {};
    line.beforeIssue = () => new Promise((resolve) => (answer = resolve));
    const issuing = client.issue({ queue: "orders" });
    await until(() => line.calls.length === 1);
    const closing = listener.close({ grace_ms: 60_000 });
    const late = createClient(QueueService, createGrpcTransport({ baseUrl: url }));
    expect(ConnectError.from(await refusalOf(late.getQueue({ queue: "orders" }))).code).toBe(
      Code.Unavailable,
    );
    answer();
    expect((await issuing).status?.ticket?.number).toBe(1);
    await closing;
  });

  it("waits for streams that their implementations end", async () => {
    const { client, line, listener } = await startListening();
    let draining = false;
    line.places = async function* () {
      yield { position: 2 };
      await until(() => draining);
      yield { position: 2, notice: "open the stream anew" };
    };
    const notices: (string | undefined)[] = [];
    const watching = (async () => {
      for await (const { status } of client.watchPosition({ token: "t" })) {
        notices.push(status?.notice);
      }
    })();
    await until(() => notices.length === 1);
    const closing = listener.close({ grace_ms: 60_000 });
    draining = true;
    await watching;
    await closing;
    expect(notices).toEqual(["", "open the stream anew"]);
  });

  it("cuts what does not end in its grace, and its implementation learns it", async () => {
    const { client, line, listener } = await startListening();
    line.places = quietPlaces;
    const watching = (async () => {
      for await (const _ of client.watchPosition({ token: "t" })) {
        // Waits for more.
      }
    })();
    watching.catch(() => {});
    await until(() => line.made === 1);
    await listener.close({ grace_ms: 50 });
    await refusalOf(watching);
    await until(() => line.ended === 1);
  });

  it("does not wait for reflection, or for connections that do nothing", async () => {
    const { listener, url } = await startListening();
    const connection = new RawConnection(url);
    const stream = connection.open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    // list_services: "*"
    stream.write(frame(Uint8Array.from([0x3a, 0x01, 0x2a])));
    const answer = answerOf(stream);
    await new Promise((resolve) => stream.once("data", resolve));
    await listener.close({ grace_ms: 60_000 });
    expect((await answer).grpc).toBe(Code.Unavailable);
  });

  it("twice is closing once", async () => {
    const { listener } = await startListening();
    await Promise.all([listener.close({ grace_ms: 10 }), listener.close({ grace_ms: 10 })]);
    await listener.close({ grace_ms: 10 });
  });

  it("frees the port", async () => {
    const { listener } = await startListening();
    await listener.close({ grace_ms: 0 });
    const again = await startNativeListener({
      host: "127.0.0.1",
      port: listener.port,
      services: Line.OFFERED,
      starting: () => "for a test",
      onError: () => {},
    });
    await again.close({ grace_ms: 0 });
  });
});
