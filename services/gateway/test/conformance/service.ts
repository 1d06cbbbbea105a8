// The suite's ConformanceService: answers each call with what the call says it is to be answered with, and with what was
// seen of it.

import { setTimeout as wait } from "node:timers/promises";
import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type {
  Conformance,
  Failure,
  Header,
  Several,
  Single,
  SingleRequest,
  StreamRequest,
  Words,
} from "./words.ts";

type Answer = MessageInitShape<DescMessage>;

export class ConformanceService {
  readonly methods: ServiceImpl<Conformance>;
  readonly #words: Words;
  readonly #thrown = new WeakSet<ConnectError>();

  constructor(words: Words) {
    this.#words = words;
    this.methods = {
      unary: (request, context) => this.#one(request.responseDefinition, [request], context),
      idempotentUnary: (request, context) => this.#one(request.responseDefinition, [request], context),
      clientStream: async (requests, context) => {
        const all: SingleRequest[] = [];
        for await (const request of requests) all.push(request);
        return this.#one(all[0]?.responseDefinition, all, context);
      },
      serverStream: (request, context) => this.#several(request.responseDefinition, [request], context),
      bidiStream: (requests, context) => this.#both(requests, context),
    };
  }

  /** Whether an error is one that a call has asked for. */
  isOwn(error: ConnectError): boolean {
    // Of one that has been written already, only what it says is left: what was seen of the call.
    const { typeName } = this.#words.requestInfo;
    return (
      this.#thrown.has(error) || error.details.some((detail) => "type" in detail && detail.type === typeName)
    );
  }

  async #one(
    definition: Single | undefined,
    requests: readonly Message[],
    context: HandlerContext,
  ): Promise<Answer> {
    addHeaders(definition, context);
    const seen = this.#seen(context, requests);
    if (definition?.responseDelayMs) await wait(definition.responseDelayMs);
    const { response } = definition ?? {};
    if (response?.case === "error") throw this.#error(response.value, seen);
    return this.#payload(response?.value, seen);
  }

  async *#several(
    definition: Several | undefined,
    requests: readonly Message[],
    context: HandlerContext,
  ): AsyncGenerator<Answer> {
    addHeaders(definition, context);
    const seen = this.#seen(context, requests);
    if (definition === undefined) return;
    for (const [at, data] of definition.responseData.entries()) {
      await wait(definition.responseDelayMs);
      yield this.#payload(data, at === 0 ? seen : undefined);
    }
    if (definition.error === undefined) return;
    throw this.#error(definition.error, definition.responseData.length === 0 ? seen : undefined);
  }

  /** In half duplex, all requests come before the answers; in full, one by one. */
  async *#both(requests: AsyncIterable<StreamRequest>, context: HandlerContext): AsyncGenerator<Answer> {
    const open: Message[] = [];
    let definition: Several | undefined;
    let [isFull, told] = [false, 0];
    for await (const request of requests) {
      if (open.length === 0 && told === 0) {
        definition = request.responseDefinition;
        isFull = request.fullDuplex === true;
        if (isFull) addHeaders(definition, context);
      }
      open.push(request);
      if (!isFull) continue;
      const data = definition?.responseData[told];
      if (definition === undefined || data === undefined) break;
      await wait(definition.responseDelayMs);
      yield this.#payload(data, this.#seen(context, open.splice(0)));
      told += 1;
    }
    if (told === 0 && !isFull) return yield* this.#several(definition, open, context);
    const { responseData = [], error, responseDelayMs = 0 } = definition ?? {};
    for (const [at, data] of responseData.slice(told).entries()) {
      await wait(responseDelayMs);
      yield this.#payload(data, told + at === 0 ? this.#seen(context, open) : undefined);
    }
    if (error !== undefined)
      throw this.#error(error, responseData.length === 0 ? this.#seen(context, open) : undefined);
  }

  #payload(data: Uint8Array | undefined, requestInfo: Message | undefined): Answer {
    return {
      payload: create(this.#words.payload, { ...(data && { data }), ...(requestInfo && { requestInfo }) }),
    };
  }

  #error({ code, message = "", details }: Failure, seen: Message | undefined): ConnectError {
    const error = new ConnectError(message, code);
    const all = seen === undefined ? details : [...details, anyPack(this.#words.requestInfo, seen)];
    // As they came, for this program need not know what they are.
    error.details = all.map(({ typeUrl, value }) => ({ type: typeUrl.split("/").at(-1) ?? "", value }));
    this.#thrown.add(error);
    return error;
  }

  #seen({ requestHeader, timeoutMs }: HandlerContext, requests: readonly Message[]): Message {
    const left_ms = timeoutMs();
    const packed: Any[] = requests.map((request) => anyPack(this.#descOf(request), request));
    return create(this.#words.requestInfo, {
      requestHeaders: [...requestHeader].map(([name, value]) => ({ name, value: [value] })),
      ...(left_ms !== undefined && { timeoutMs: BigInt(Math.trunc(left_ms)) }),
      requests: packed,
    });
  }

  #descOf({ $typeName }: Message): DescMessage {
    const method = this.#words.service.methods.find(({ input }) => input.typeName === $typeName);
    if (method === undefined) throw new Error(`no method takes ${$typeName}`);
    return method.input;
  }
}

function addHeaders(
  definition: { responseHeaders: readonly Header[]; responseTrailers: readonly Header[] } | undefined,
  { responseHeader, responseTrailer }: HandlerContext,
): void {
  for (const { name, value } of definition?.responseHeaders ?? [])
    for (const one of value) responseHeader.append(name, one);
  for (const { name, value } of definition?.responseTrailers ?? [])
    for (const one of value) responseTrailer.append(name, one);
}
