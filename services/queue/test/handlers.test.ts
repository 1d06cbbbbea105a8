import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { IssueRequestSchema } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { quietPlaces } from "./support/line.ts";
import { refusalOf, startListening, until } from "./support/listening.ts";
import { frame, ISSUE, RawConnection } from "./support/raw.ts";

describe("a unary call", () => {
  it("is answered by the implementation", async () => {
    const { client, line } = await startListening();
    const answer = await client.issue({ queue: "orders", attributes: { seat: "7" } });
    expect(answer.token).toBe("token-1");
    expect(answer.status?.ticket).toMatchObject({ queue: "orders", number: 1 });
    expect(line.calls[0]?.request.attributes).toEqual({ seat: "7" });
  });

  it("carries metadata both ways, binary values included", async () => {
    const { client, line } = await startListening();
    const seen: Record<string, string | null> = {};
    await client.admit(
      { queue: "orders", requestId: "once", who: { case: "count", value: 1 } },
      {
        headers: { "x-ask": "why" },
        onHeader: (headers) => {
          seen["x-asked"] = headers.get("x-asked");
        },
        onTrailer: (trailers) => {
          seen["x-told"] = trailers.get("x-told");
        },
      },
    );
    expect(seen).toEqual({ "x-asked": "why", "x-told": "once" });
    await client.issue({ queue: "orders" }, { headers: { "x-trace-bin": "AAEC/w" } });
    expect(line.calls[0]?.context.requestHeader.get("x-trace-bin")).toBe("AAEC/w==");
  });

  it("knows its service, method and url", async () => {
    const { client, line, url } = await startListening();
    await client.issue({ queue: "orders" });
    const context = line.calls[0]?.context;
    expect(context?.service.typeName).toBe("usher.queue.v1.QueueService");
    expect(context?.method.name).toBe("Issue");
    expect(context?.protocolName).toBe("grpc");
    expect(context?.url).toBe(`${url}${ISSUE}`);
  });

  it("knows how much time it has, or that it has no limit", async () => {
    const { client, line } = await startListening();
    await client.issue({ queue: "orders" }, { timeoutMs: 60_000 });
    await client.issue({ queue: "orders" });
    expect(line.calls[0]?.context.timeoutMs()).toBeLessThanOrEqual(60_000);
    expect(line.calls[1]?.context.timeoutMs()).toBeUndefined();
  });

  it("learns through its signal that the client has cancelled", async () => {
    const { client, line } = await startListening();
    let reason: unknown;
    line.beforeIssue = (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
    const cancel = new AbortController();
    const call = refusalOf(client.issue({ queue: "orders" }, { signal: cancel.signal }));
    await until(() => line.calls.length === 1);
    cancel.abort();
    await call;
    await until(() => reason !== undefined);
    expect(ConnectError.from(reason).code).toBe(Code.Canceled);
  });

  it("learns through its signal that the deadline is over", async () => {
    const { url, line } = await startListening();
    let reason: unknown;
    line.beforeIssue = (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
    const request = toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: "orders" }));
    // A client that does not keep its own time, so that the server's shows.
    const answer = await new RawConnection(url).call(ISSUE, frame(request), { "grpc-timeout": "50m" });
    expect(answer.grpc).toBe(Code.DeadlineExceeded);
    await until(() => reason !== undefined);
    expect(ConnectError.from(reason).code).toBe(Code.DeadlineExceeded);
  });

  it("learns through its signal that the connection broke", async () => {
    const { url, line } = await startListening();
    let aborted = false;
    line.beforeIssue = (_request, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          resolve();
        });
      });
    const connection = new RawConnection(url);
    connection.open(ISSUE).end(frame(new Uint8Array()));
    await until(() => line.calls.length === 1);
    connection.session.destroy();
    await until(() => aborted);
  });

  it("tells a refusal with its details and metadata", async () => {
    const { client, errors } = await startListening();
    const error = ConnectError.from(await refusalOf(client.leave({ token: "t" })));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("taken already");
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
      reason: "ALREADY_CLAIMED",
      domain: "usher",
    });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(3n);
    expect(error.metadata.get("x-hint")).toBe("try again");
    expect(errors).toEqual([]);
  });

  it("tells an accident as INTERNAL and keeps what happened to itself", async () => {
    const { client, errors } = await startListening();
    const error = ConnectError.from(await refusalOf(client.getTicket({ token: "t" })));
    expect(error.code).toBe(Code.Internal);
    expect(error.message).not.toContain("swordfish");
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: "INTERNAL", domain: "usher" });
    expect(errors).toHaveLength(1);
    expect(errors[0]?.method).toBe("/usher.queue.v1.QueueService/GetTicket");
    expect(String(errors[0]?.error)).toContain("swordfish");
  });

  it("survives refusals whose message no header can carry as it is", async () => {
    const { client, line, issueAfresh } = await startListening();
    line.beforeIssue = () => {
      throw new ConnectError(`\ud800 자리 없음 ${"x".repeat(100_000)}`, Code.ResourceExhausted);
    };
    const error = ConnectError.from(await refusalOf(client.issue({ queue: "orders" })));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toContain("자리 없음");
    line.beforeIssue = () => {};
    await issueAfresh();
  });
});

describe("a stream", () => {
  it("ends after the implementation's last answer", async () => {
    const { client } = await startListening();
    const positions = [];
    for await (const { status } of client.watchPosition({ token: "t" })) {
      positions.push(status?.ticket?.position);
    }
    expect(positions).toEqual([1, 0]);
  });

  it("that has nothing to say ends without an error", async () => {
    const { client } = await startListening();
    const answers = [];
    for await (const answer of client.watchAdmissions({ queue: "orders" })) {
      answers.push(answer);
    }
    expect(answers).toEqual([]);
  });

  it("tells what it has before it tells a refusal", async () => {
    const { client, line } = await startListening();
    line.places = async function* () {
      yield { position: 4 };
      throw new ConnectError("gone", Code.NotFound);
    };
    const positions: unknown[] = [];
    const watching = (async () => {
      for await (const { status } of client.watchPosition({ token: "t" })) {
        positions.push(status?.ticket?.position);
      }
    })();
    expect(ConnectError.from(await refusalOf(watching)).code).toBe(Code.NotFound);
    expect(positions).toEqual([4]);
  });

  it("that the client cancels ends its implementation, and is no accident", async () => {
    const { client, line, errors } = await startListening();
    line.places = quietPlaces;
    const cancel = new AbortController();
    await refusalOf(
      (async () => {
        for await (const _ of client.watchPosition({ token: "t" }, { signal: cancel.signal })) {
          cancel.abort();
        }
      })(),
    );
    await until(() => line.ended === 1);
    expect(errors).toEqual([]);
  });
});
