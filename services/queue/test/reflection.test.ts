// With no proto files at hand, gRPC's usual tool finds its way: the real grpcurl, against a real port.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { GO_WAIT_MS, goProgram } from "../../../test/support/go.ts";
import { type Listening, startListening } from "./support/listening.ts";
import { frame, RawConnection } from "./support/raw.ts";

const run = promisify(execFile);
let program: string;

beforeAll(async () => {
  program = await goProgram("grpcurl");
}, GO_WAIT_MS);

async function grpcurl({ listener }: Listening, ...words: string[]): Promise<string> {
  const flags = words.filter((word) => word.startsWith("{")).flatMap((data) => ["-d", data]);
  const rest = words.filter((word) => !word.startsWith("{"));
  const { stdout } = await run(program, ["-plaintext", ...flags, `127.0.0.1:${listener.port}`, ...rest]);
  return stdout;
}

/** What grpcurl writes when the call is refused. */
async function grpcurlRefused(listening: Listening, ...words: string[]): Promise<string> {
  return grpcurl(listening, ...words).then(
    () => expect.fail("the call was answered"),
    (error: { stderr: string }) => error.stderr,
  );
}

describe("grpcurl", () => {
  it("lists the services and their methods", async () => {
    const listening = await startListening();
    expect((await grpcurl(listening, "list")).trim().split("\n")).toEqual([
      "grpc.health.v1.Health",
      "usher.admin.v1.AdminService",
      "usher.queue.v1.QueueService",
    ]);
    expect(await grpcurl(listening, "list", "usher.queue.v1.QueueService")).toContain(
      "usher.queue.v1.QueueService.WatchAdmissions",
    );
  });

  it("describes services with their comments and options", async () => {
    const listening = await startListening();
    const service = await grpcurl(listening, "describe", "usher.queue.v1.QueueService");
    expect(service).toContain(
      "// Takes a ticket, without a stored request whatever the queue's kind: only HTTP requests at a gateway are stored.",
    );
    expect(service).toContain("returns ( stream .usher.queue.v1.WatchPositionResponse )");
    const getTicket = await grpcurl(listening, "describe", "usher.queue.v1.QueueService.GetTicket");
    expect(getTicket).toContain("option idempotency_level = NO_SIDE_EFFECTS");
    expect(await grpcurl(listening, "describe", "grpc.health.v1.Health")).toContain("rpc Check");
  });

  it("describes messages, whatever file they are in", async () => {
    const listening = await startListening();
    const request = await grpcurl(listening, "describe", "usher.queue.v1.IssueRequest");
    expect(request).toContain("map<string, string> attributes = 4;");
    expect(request).toContain("// Makes a retry safe: 1 to 255 printable ASCII characters");
    const update = await grpcurl(listening, "describe", "usher.admin.v1.UpdateQueueRequest");
    expect(update).toContain(".google.protobuf.FieldMask update_mask = 3;");
    expect(await grpcurl(listening, "describe", "google.protobuf.Duration")).toContain("int64 seconds = 1;");
  });

  it("calls a method", async () => {
    const listening = await startListening();
    const answer = await grpcurl(listening, '{"queue":"orders"}', "usher.queue.v1.QueueService/Issue");
    expect(JSON.parse(answer)).toEqual({
      status: { ticket: { queue: "orders", number: 1 } },
      token: "token-1",
    });
  });

  it("calls a method that streams", async () => {
    const listening = await startListening();
    const answers = await grpcurl(listening, '{"token":"t"}', "usher.queue.v1.QueueService/WatchPosition");
    expect(answers.match(/"position": \d/g)).toEqual(['"position": 1', '"position": 0']);
  });

  it("calls the methods of the admin and health services", async () => {
    const listening = await startListening();
    expect(await grpcurl(listening, "usher.admin.v1.AdminService/ListQueues")).toBe("{}\n");
    expect(JSON.parse(await grpcurl(listening, "grpc.health.v1.Health/Check"))).toEqual({
      status: "SERVING",
    });
  });

  it("shows a refusal with its details", async () => {
    const listening = await startListening();
    const refusal = await grpcurlRefused(listening, '{"token":"t"}', "usher.queue.v1.QueueService/Leave");
    expect(refusal).toContain("Code: FailedPrecondition");
    expect(refusal).toContain("Message: taken already");
    expect(refusal).toContain("ALREADY_CLAIMED");
    expect(refusal).toContain("retryDelay");
  });
});

describe("reflection", () => {
  it("answers in v1 and v1alpha alike", async () => {
    const { url } = await startListening();
    // list_services: "*"
    const question = frame(Uint8Array.from([0x3a, 0x01, 0x2a]));
    const connection = new RawConnection(url);
    const [v1, v1alpha] = await Promise.all(
      ["v1", "v1alpha"].map((version) =>
        connection.call(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, question),
      ),
    );
    expect(v1?.grpc).toBe(0);
    expect(v1?.bytes).toBeGreaterThan(50);
    expect(v1alpha?.bytes).toBe(v1?.bytes);
  });

  it("survives questions that are none", async () => {
    const { url, issueAfresh } = await startListening();
    const connection = new RawConnection(url);
    const symbol = (name: string) => Uint8Array.from([0x22, name.length, ...Buffer.from(name)]);
    for (const question of [
      new Uint8Array(),
      Uint8Array.of(0xff),
      symbol("__proto__"),
      symbol("constructor"),
      symbol("no.such"),
    ]) {
      const answer = await connection.call(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        frame(question),
      );
      expect(answer.grpc).toBeDefined();
    }
    await issueAfresh();
  });

  it("ends a stream that stays open for too long", async () => {
    const { url, issueAfresh } = await startListening({ reflection_ms: 100 });
    const stream = new RawConnection(url).open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    stream.resume();
    await new Promise((resolve) => stream.on("close", resolve));
    await issueAfresh();
  });
});
