// The contract by gRPC, on grpc-js: for Node. Half the time on the processor that connect-node's client takes, and it
// makes its connections anew by itself. All that is beyond one call (retries, healing) is done above, so that it is the
// same over every wire; grpc-js's own retries are off, and so are keep-alive pings.
//
//   messages.ts  the messages, as the client has them      refusals.ts  what an error says
//   channels.ts  the connections to one node

import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { type ChannelCredentials, connectivityState, credentials, Metadata } from "@grpc/grpc-js";
import { QueueService } from "@usher/protocol/queue";
import { REAL_CLOCK } from "../../calls/clock.ts";
import { UsherError } from "../../errors.ts";
import type { Status } from "../../status.ts";
import { headerValue } from "../api-key.ts";
import { serverUrl } from "../base-url.ts";
import { unanswered } from "../obstacles.ts";
import type {
  AdmissionMessage,
  AdmitCall,
  Admitted,
  BackendRpc,
  Call,
  Held,
  IssueCall,
  Issued,
  QueueStatus,
  TicketFacts,
  Watched,
} from "../rpc.ts";
import { Channels } from "./channels.ts";
import {
  admissionOf,
  admittedOf,
  factsOf,
  issuedOf,
  offset,
  queueOf,
  statusOf,
  watchedOf,
} from "./messages.ts";
import { refusalOf } from "./refusals.ts";

export interface GrpcOptions {
  /** `http://host:port`, or `https://` for TLS: the native listener's, or the gateway's. */
  readonly baseUrl: string;
  /** One of the server's API keys, which backends need. Default: none. */
  readonly apiKey?: string | undefined;
  /** The certificates to trust, in PEM; default: those of the system. */
  readonly ca?: string | Uint8Array | undefined;
}

/** No message of the contract comes near it, in bytes. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** A channel that could not connect tries again by itself, whether or not anybody calls: first after so many milliseconds,
 * then each time 1.6 times as long, up to the longest. A second is gRPC's default. Sooner, thousands who lost the same
 * node would come several times within the two seconds over which their streams spread them (`npm run bench --
 * reconnect`); later, a call's few tries would be over before the second connection. The default longest is two minutes. */
const CONNECT_PAUSE_MS = { first: 1_000, longest: 5_000 } as const;

const CHANNEL = {
  "grpc.enable_retries": 0,
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.initial_reconnect_backoff_ms": CONNECT_PAUSE_MS.first,
  "grpc.max_reconnect_backoff_ms": CONNECT_PAUSE_MS.longest,
} as const;

/** The longest time that a call can be given by the protocol in milliseconds, which has room for eight digits. */
const TIMEOUT_MS_MAX = 99_999_999;

export class GrpcRpc implements BackendRpc {
  /** `http://host:port`, for errors. */
  readonly #where: string;
  readonly #channels: Channels;
  readonly #metadata = new Metadata();

  constructor({ baseUrl, apiKey, ca }: GrpcOptions) {
    const url = serverUrl(baseUrl, { path: false });
    this.#where = url.origin;
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    this.#channels = new Channels(`${url.hostname}:${port}`, credentialsOf(url, ca), CHANNEL);
    if (apiKey !== undefined) this.#metadata.set("usher-api-key", headerValue(apiKey));
  }

  async issue({ queue, idempotencyKey, subject, attributes }: IssueCall, call: Call): Promise<Issued> {
    const request = {
      queue,
      idempotencyKey,
      ...(subject !== undefined && { subject }),
      ...(attributes !== undefined && { attributes: { ...attributes } }),
    };
    return issuedOf(await this.#unary(QueueService.method.issue, request, call));
  }

  async getTicket({ token, asOf }: Held, call: Call): Promise<Status> {
    const { status } = await this.#unary(QueueService.method.getTicket, { token, asOf: offset(asOf) }, call);
    return statusOf(status);
  }

  async *watchPosition({ token, asOf }: Held, call: Call): AsyncGenerator<Watched> {
    const request = { token, asOf: offset(asOf) };
    for await (const message of this.#stream(QueueService.method.watchPosition, request, call))
      yield watchedOf(message);
  }

  async leave(token: string, call: Call): Promise<Status> {
    const { status } = await this.#unary(QueueService.method.leave, { token }, call);
    return statusOf(status);
  }

  async getQueue(queue: string, call: Call): Promise<QueueStatus> {
    return queueOf(await this.#unary(QueueService.method.getQueue, { queue }, call));
  }

  async admit({ queue, whom, requestId }: AdmitCall, call: Call): Promise<Admitted> {
    const who =
      "count" in whom
        ? ({ case: "count", value: whom.count } as const)
        : ({ case: "ticketId", value: whom.ticket } as const);
    return admittedOf(await this.#unary(QueueService.method.admit, { queue, who, requestId }, call));
  }

  async *watchAdmissions(queue: string, cursor: string, call: Call): AsyncGenerator<AdmissionMessage> {
    const request = { queue, cursor: offset(cursor) };
    for await (const message of this.#stream(QueueService.method.watchAdmissions, request, call))
      yield admissionOf(message);
  }

  async complete(ticketId: string, call: Call): Promise<TicketFacts> {
    const { ticket } = await this.#unary(QueueService.method.complete, { ticketId }, call);
    return factsOf(ticket);
  }

  close(): void {
    this.#channels.close();
  }

  /** The time is counted here: grpc-js's own deadline is a moment of the wall clock, which may be put forward meanwhile. The
   * server is told how long, as grpc-js would tell it. Errors are made after the await: so their stack leads to the caller's
   * own line, and from a callback it would not. */
  async #unary<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M["input"]>,
    { signal, timeout }: Call,
  ): Promise<MessageShape<M["output"]>> {
    if (signal?.aborted) throw canceled(signal);
    const metadata = this.#metadata.clone();
    metadata.set("grpc-timeout", `${Math.min(TIMEOUT_MS_MAX, Math.ceil(timeout))}m`);
    let late: UsherError | undefined;
    const answered = new Promise<MessageShape<M["output"]>>((resolve, reject) => {
      const call = this.#channels.main.makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<M["input"]>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M["output"]>,
        create(method.input, request) as MessageShape<M["input"]>,
        metadata,
        (error, answer) => {
          met();
          signal?.removeEventListener("abort", abort);
          if (answer !== undefined) resolve(answer);
          else reject(error);
        },
      );
      const abort = (): void => call.cancel();
      signal?.addEventListener("abort", abort, { once: true });
      const met = REAL_CLOCK.after(timeout, () => {
        late = this.#late(timeout);
        call.cancel();
      });
    });
    try {
      return await answered;
    } catch (error) {
      if (signal?.aborted) throw canceled(signal);
      throw late ?? refusalOf(error, this.#where);
    }
  }

  /** The time counts until the first message: a stream may last for hours. */
  async *#stream<M extends DescMethodServerStreaming>(
    method: M,
    request: MessageInitShape<M["input"]>,
    { signal, timeout }: Call,
  ): AsyncGenerator<MessageShape<M["output"]>> {
    if (signal?.aborted) throw canceled(signal);
    const [client, giveBack] = this.#channels.take();
    const call = client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<M["input"]>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M["output"]>,
      create(method.input, request) as MessageShape<M["input"]>,
      this.#metadata,
    );
    const abort = (): void => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    let late: UsherError | undefined;
    const met = REAL_CLOCK.after(timeout, () => {
      late = this.#late(timeout, client);
      call.cancel();
    });
    try {
      for await (const message of call) {
        met();
        yield message as MessageShape<M["output"]>;
      }
    } catch (error) {
      if (signal?.aborted) throw canceled(signal);
      throw late ?? refusalOf(error, this.#where);
    } finally {
      met();
      signal?.removeEventListener("abort", abort);
      call.cancel();
      giveBack();
    }
  }

  /** Made when the time is over: by then it is known whether there is a connection. */
  #late(timeout: number, client = this.#channels.main): UsherError {
    const isConnected = client.getChannel().getConnectivityState(false) === connectivityState.READY;
    const what = isConnected
      ? unanswered(this.#where, timeout)
      : `no gRPC connection to ${this.#where} came about within ${timeout} ms (the option timeout): is it a node's port, and does nothing in between swallow what goes there?`;
    return new UsherError("deadline_exceeded", what);
  }
}

function pathOf({ parent, name }: DescMethodUnary | DescMethodServerStreaming): string {
  return `/${parent.typeName}/${name}`;
}

function credentialsOf({ protocol }: URL, ca: GrpcOptions["ca"]): ChannelCredentials {
  if (protocol === "http:") return credentials.createInsecure();
  return credentials.createSsl(ca === undefined ? null : Buffer.from(ca));
}

function canceled({ reason }: AbortSignal): UsherError {
  return new UsherError("canceled", "the caller gave up", { cause: reason });
}
