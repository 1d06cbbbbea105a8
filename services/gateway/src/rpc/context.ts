// What a method is told of its call: made only as far as it asks, since most ask for little.

import type { DescMethodUnary, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";

export class UnaryContext implements HandlerContext {
  readonly method: DescMethodUnary;
  readonly requestMethod = "POST";
  readonly protocolName = "connect";
  readonly #req: EdgeRequest;
  readonly #res: EdgeResponse;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #signal: AbortSignal | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethodUnary, req: EdgeRequest, res: EdgeResponse) {
    this.method = method;
    this.#req = req;
    this.#res = res;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `http://${this.#req.headers.host}${this.#req.url}`;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#req);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  /** The headers that the method has set; absent where it has set none. */
  get answerHeaders(): Headers | undefined {
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** The trailers that the method has set; absent where it has set none. */
  get answerTrailers(): Headers | undefined {
    return this.#responseTrailer;
  }

  /** Aborts when the client has gone. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const gone = new AbortController();
      this.#res.once("close", () => gone.abort());
      this.#signal = gone.signal;
    }
    return this.#signal;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  timeoutMs(): undefined {
    return undefined;
  }
}

function headersOf({ headers }: EdgeRequest): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of Array.isArray(value) ? value : [value]) all.append(name, one);
  }
  return all;
}
