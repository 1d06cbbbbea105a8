// The thin lane: one message in, one message out, by the Connect protocol over HTTP/1.1 (connectrpc.com/docs/protocol),
// which is how programs and browsers take tickets. connect-node does the same with async iterables, web streams and
// abort controllers at each step, and answers a fifth as many; it still does everything that is the least bit unusual.

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  fromJsonString,
  type Message,
  type MessageInitShape,
  type Registry,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { BodyReader, type BodyResult } from "../listener/body.ts";
import { type EdgeRequest, type EdgeResponse, isGone, isHttp1 } from "../listener/exchange.ts";
import { observeRpcEnd } from "../observe/rpc.ts";
import { UnaryContext } from "./context.ts";
import { unreadable } from "./refusal.ts";
import type { Served as ServedOf } from "./serve.ts";

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

type Method = (request: Message, context: UnaryContext) => Promise<MessageInitShape<DescMessage>>;

interface Lane {
  readonly method: DescMethodUnary;
  readonly run: Run;
}

type Served = Pick<ServedOf<DescService>, "message_bytes" | "explain" | "types"> & {
  readonly plain: { readonly service: DescService; readonly methods: object };
};

export class UnaryLanes {
  readonly #byPath: ReadonlyMap<string, Lane>;
  readonly #served: Served;
  readonly #bodies: BodyReader;

  constructor(served: Served) {
    const { service, methods } = served.plain;
    this.#served = served;
    this.#bodies = new BodyReader({ body_bytes: served.message_bytes });
    this.#byPath = new Map(
      service.methods.flatMap((method) => {
        if (!isUnary(method)) return [];
        const run = runOf(methods, method);
        return run === undefined ? [] : [[`/${service.typeName}/${method.name}`, { method, run }]];
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
    if (!(length <= this.#served.message_bytes)) return false;
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
    const body = await this.#bodies.read(req, res, this.#served.message_bytes);
    if (body.kind !== "whole") return observeRpcEnd(name, codeOf(body));
    const { explain, types: registry } = this.#served;
    const json = registry && { registry };
    const context = new UnaryContext(method, req, res);
    try {
      const answer = await run(decode(method, format, body.bytes, json), context);
      if (format === "binary") end(res, 200, "application/proto", context, toBinary(method.output, answer));
      else end(res, 200, "application/json", context, toJsonString(method.output, answer, json));
      observeRpcEnd(name);
    } catch (thrown) {
      const error = explain(ConnectError.from(thrown, Code.Internal));
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

function runOf(methods: object, method: DescMethodUnary): Run | undefined {
  const run = (methods as Readonly<Record<string, Method | undefined>>)[method.localName];
  if (run === undefined) return undefined;
  return async (request, context) => create(method.output, await run(request, context));
}

function decode(
  { input }: DescMethodUnary,
  format: "json" | "binary",
  bytes: Buffer,
  json: { readonly registry: Registry } | undefined,
): Message {
  try {
    if (format === "binary") return fromBinary(input, bytes);
    return fromJsonString(input, TEXT.decode(bytes), { ignoreUnknownFields: true, ...json });
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
  { answerHeaders, answerTrailers }: UnaryContext,
  body: Uint8Array | string,
): void {
  if (isGone(res)) return;
  res.statusCode = status;
  res.setHeader("content-type", type);
  res.setHeader("content-length", Buffer.byteLength(body));
  answerHeaders?.forEach((value, name) => {
    res.setHeader(name, value);
  });
  answerTrailers?.forEach((value, name) => {
    res.setHeader(`trailer-${name}`, value);
  });
  // Text leaves with the head in one piece; bytes are written as two.
  res.end(body);
}
