// CallContext: what an implementation knows of its call, in connect's terms. Most calls look at the headers alone,
// so whatever costs something is made when it is first asked for.

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { UsherError } from "@usher/replica";
import { headersOf } from "./metadata.ts";

export type Call = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

export class CallContext implements HandlerContext {
  readonly service: DescService;
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly responseHeader = new Headers();
  readonly responseTrailer = new Headers();
  readonly #call: Call;
  /** Milliseconds since 1970, by the wall clock, as grpc-js counts them; Infinity without a time-out. */
  readonly #deadline: number;
  #requestHeader: Headers | undefined;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #ended: ConnectError | undefined;

  constructor(method: DescMethod, call: Call) {
    this.service = method.parent;
    this.method = method;
    this.#call = call;
    this.#deadline = Number(call.getDeadline());
    // Said of a client that cancels, of a deadline, of a connection that broke, and after the end of every call.
    call.once("cancelled", () => this.#end());
  }

  /** Aborts with the reason as a ConnectError: DEADLINE_EXCEEDED or CANCELED. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) {
        this.#controller.abort(this.#ended);
      }
    }
    return this.#controller.signal;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#call.metadata);
    return this.#requestHeader;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get url(): string {
    return `http://${this.#call.getHost()}${this.#call.getPath()}`;
  }

  /** Milliseconds that are left; a property and not a method, as connect has it. */
  readonly timeoutMs = (): number | undefined =>
    this.#deadline === Number.POSITIVE_INFINITY ? undefined : this.#deadline - Date.now();

  /** No more can be told to the caller. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  #end(): void {
    this.#ended =
      Date.now() >= this.#deadline
        ? new UsherError("DEADLINE_EXCEEDED", "the deadline is over")
        : new ConnectError("the call ended", Code.Canceled);
    this.#controller?.abort(this.#ended);
  }
}
