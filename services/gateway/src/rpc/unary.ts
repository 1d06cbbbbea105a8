// The thin lane: one message in, one message out, by the Connect protocol over HTTP/1.1 (connectrpc.com/docs/protocol),
// which is how programs and browsers take tickets. connect-node does the same with async iterables, web streams and
// abort controllers at each step, and answers a fifth as many; it still does everything that is the least bit unusual.

import {
  create,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  fromJsonString,
  type Message,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { QueueService } from "@usher/protocol/queue";
import type { BodyReader, BodyResult } from "../listener/body.ts";
import { type EdgeRequest, type EdgeResponse, isGone, isHttp1 } from "../listener/exchange.ts";
import { observeRpcEnd } from "../observe/rpc.ts";
import { UnaryContext } from "./context.ts";
import { unreadable } from "./refusal.ts";

/** Headers that ask for something which is not done here: another encoding, a deadline. */
const UNUSUAL = ["content-encoding", "connect-timeout-ms", "transfer-encoding"] as const;

const FORMATS: ReadonlyMap<string, "json" | "binary"> = new Map([
  ["application/json", "json"],
  ["application/json; charset=utf-8", "json"],
  ["application/proto", "binary"],
]);

/** No bytes that are not UTF-8 pass as text. */
const TEXT = new TextDecoder("utf-8", { fatal: true });

type Run = (request: Message, context: UnaryContext) => Promise<Message> | Message;

interface Lane {
  readonly method: DescMethodUnary;
  readonly run: Run;
}

/** Requests and answers of its methods are at most so large, in bytes, as all messages on this port. */
export class UnaryLanes {
  readonly #byPath: ReadonlyMap<string, Lane>;
  readonly #bodies: BodyReader;
  readonly #message_bytes: number;

  constructor(service: ServiceImpl<typeof QueueService>, bodies: BodyReader, message_bytes: number) {
    this.#bodies = bodies;
    this.#message_bytes = message_bytes;
    this.#byPath = new Map(
      QueueService.methods.flatMap((method) => {
        if (!isUnary(method)) return [];
        const path = `/${QueueService.typeName}/${method.name}`;
        return [[path, { method, run: runOf(service, method) }]];
      }),
    );
  }

  /** Answers the call, or returns false for one that connect-node is to answer. */
  take(req: EdgeRequest, res: EdgeResponse): boolean {
    if (!isHttp1(res) || req.method !== "POST") return false;
    const lane = this.#byPath.get(req.url ?? "");
    const format = FORMATS.get(req.headers["content-type"] ?? "");
    if (lane === undefined || format === undefined) return false;
    if (UNUSUAL.some((name) => req.headers[name] !== undefined)) return false;
    if ((req.headers["connect-protocol-version"] ?? "1") !== "1") return false;
    const length = Number(req.headers["content-length"]);
    if (!(length <= this.#message_bytes)) return false;
    void this.#answer(lane, format, req, res);
    return true;
  }

  async #answer(
    { method, run }: Lane,
    format: "json" | "binary",
    req: EdgeRequest,
    res: EdgeResponse,
  ): Promise<void> {
    const name = `${method.parent.typeName}/${method.name}`;
    const body = await this.#bodies.read(req, res, this.#message_bytes);
    if (body.kind !== "whole") return observeRpcEnd(name, codeOf(body));
    const context = new UnaryContext(method, req, res);
    try {
      const answer = await run(decode(method, format, body.bytes), context);
      if (format === "binary") end(res, 200, "application/proto", context, toBinary(method.output, answer));
      else end(res, 200, "application/json", context, toJsonString(method.output, answer));
      observeRpcEnd(name);
    } catch (thrown) {
      const error = ConnectError.from(thrown, Code.Internal);
      observeRpcEnd(name, error.code);
      const bytes = errorToJsonBytes(error, undefined);
      end(res, codeToHttpStatus(error.code), "application/json", context, bytes);
    }
  }
}

/** What became of a call whose message did not come whole. */
function codeOf(body: Exclude<BodyResult, { kind: "whole" }>): Code {
  if (body.kind === "client_gone") return Code.Canceled;
  return body.problem.status === 408 ? Code.DeadlineExceeded : Code.Unavailable;
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function runOf(service: ServiceImpl<typeof QueueService>, method: DescMethodUnary): Run {
  const run = service[method.localName as keyof typeof service] as unknown as (
    request: Message,
    context: UnaryContext,
  ) => Promise<MessageInitShape<typeof method.output>>;
  return async (request, context) => create(method.output, await run(request, context));
}

function decode({ input }: DescMethodUnary, format: "json" | "binary", bytes: Buffer): Message {
  try {
    if (format === "binary") return fromBinary(input, bytes);
    return fromJsonString(input, TEXT.decode(bytes), { ignoreUnknownFields: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `cannot decode ${input.typeName} from ${format === "json" ? "JSON" : "binary"}: ${why}`;
    throw unreadable(text);
  }
}

function end(
  res: EdgeResponse,
  status: number,
  type: string,
  { answerHeaders }: UnaryContext,
  body: Uint8Array | string,
): void {
  if (isGone(res)) return;
  res.statusCode = status;
  res.setHeader("content-type", type);
  res.setHeader("content-length", Buffer.byteLength(body));
  answerHeaders?.forEach((value, name) => {
    res.setHeader(name, value);
  });
  // Text leaves with the head in one piece; bytes are written as two.
  res.end(body);
}
