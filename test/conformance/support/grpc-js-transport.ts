// gRPC by grpc-js, gRPC's own client for Node, in the shape of a connect transport, so that the same typed clients
// speak through it. Unary calls and server streams.

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { type CallOptions, Client, credentials, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { StatusSchema } from "@usher/protocol/status";

type HeadersLike = ConstructorParameters<typeof Headers>[0];

export class GrpcJsTransport implements Transport {
  readonly #client: Client;
  /** Sent with every call. */
  readonly #headers: Readonly<Record<string, string>>;

  constructor(address: string, headers: Readonly<Record<string, string>>) {
    this.#client = new Client(address, credentials.createInsecure());
    this.#headers = headers;
  }

  close(): void {
    this.#client.close();
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeout_ms: number | undefined,
    header: HeadersLike,
    input: MessageInitShape<I>,
  ): Promise<UnaryResponse<I, O>> {
    return new Promise((resolve, reject) => {
      let headers = new Headers();
      let message: MessageShape<O> | undefined;
      const call = this.#client.makeUnaryRequest<MessageInitShape<I>, MessageShape<O>>(
        pathOf(method),
        (value) => encode(method.input, value),
        (bytes) => fromBinary(method.output, bytes),
        input,
        this.#metadata(header),
        optionsOf(timeout_ms),
        (_error, value) => {
          message = value;
        },
      );
      call.on("metadata", (metadata) => {
        headers = headersOf(metadata);
      });
      call.on("status", (end) => {
        if (end.code !== status.OK || message === undefined) {
          reject(errorOf(end));
        } else {
          const trailer = headersOf(end.metadata);
          resolve({ stream: false, service: method.parent, method, header: headers, trailer, message });
        }
      });
      signal?.addEventListener("abort", () => call.cancel());
    });
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeout_ms: number | undefined,
    header: HeadersLike,
    input: AsyncIterable<MessageInitShape<I>>,
  ): Promise<StreamResponse<I, O>> {
    const request = await only(input);
    const call = this.#client.makeServerStreamRequest<MessageInitShape<I>, MessageShape<O>>(
      pathOf(method),
      (value) => encode(method.input, value),
      (bytes) => fromBinary(method.output, bytes),
      request,
      this.#metadata(header),
      optionsOf(timeout_ms),
    );
    signal?.addEventListener("abort", () => call.cancel());
    const trailer = new Headers();
    const ended = new Promise<StatusObject>((resolve) => call.once("status", resolve));
    const headed = new Promise<Metadata>((resolve) => call.once("metadata", resolve));
    // Told by the status as well, and there with all that belongs to it.
    call.on("error", () => {});
    async function* messages(): AsyncGenerator<MessageShape<O>> {
      try {
        for await (const message of call) {
          yield message;
        }
      } catch {
        // The status says why.
      } finally {
        call.cancel();
      }
      const end = await ended;
      for (const [name, value] of headersOf(end.metadata)) {
        trailer.append(name, value);
      }
      if (end.code !== status.OK) {
        throw errorOf(end);
      }
    }
    const first = await Promise.race([headed, ended.then(() => undefined)]);
    return {
      stream: true,
      service: method.parent,
      method,
      header: first === undefined ? new Headers() : headersOf(first),
      trailer,
      message: messages(),
    };
  }

  #metadata(header: HeadersLike): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of [...Object.entries(this.#headers), ...new Headers(header)]) {
      metadata.add(name, value);
    }
    return metadata;
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode<Desc extends DescMessage>(type: Desc, value: MessageInitShape<Desc>): Buffer {
  return Buffer.from(toBinary(type, create(type, value)));
}

function optionsOf(timeout_ms: number | undefined): CallOptions {
  return timeout_ms === undefined ? {} : { deadline: Date.now() + timeout_ms };
}

function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const name of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(name)) {
      headers.append(name, typeof value === "string" ? value : value.toString("base64"));
    }
  }
  return headers;
}

function errorOf(end: StatusObject): ConnectError {
  const code = end.code === status.OK ? Code.Internal : (end.code as number as Code);
  const error = new ConnectError(end.details, code, headersOf(end.metadata));
  const [details] = end.metadata.get("grpc-status-details-bin");
  if (Buffer.isBuffer(details)) {
    error.details = fromBinary(StatusSchema, details).details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
  }
  return error;
}

async function only<T>(values: AsyncIterable<T>): Promise<T> {
  for await (const value of values) {
    return value;
  }
  throw new ConnectError("a server stream takes one request", Code.Internal);
}
