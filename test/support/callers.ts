// Clients of the queue service and of the operators' service, on either port.

import { inspect } from "node:util";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { QueueService } from "@usher/protocol/queue";
import type { Usher } from "./usher.ts";

export type QueueClient = Client<typeof QueueService>;

/** A way to reach Usher. */
export interface Port {
  readonly name: string;
  /** Without an API key, nothing can be called. */
  readonly needsKey: boolean;
  transport(usher: Usher, interceptors: Interceptor[]): Transport;
}

export const CONNECT: Port = {
  name: "Connect on the gateway",
  needsKey: false,
  transport: ({ gatewayUrl: baseUrl }, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: "1.1" }),
};

export const GRPC: Port = {
  name: "gRPC on the gateway",
  needsKey: false,
  transport: ({ gatewayUrl: baseUrl }, interceptors) => createGrpcTransport({ baseUrl, interceptors }),
};

export const NATIVE: Port = {
  name: "gRPC on the native listener",
  needsKey: true,
  transport: ({ nativeAddress }, interceptors) =>
    createGrpcTransport({ baseUrl: `http://${nativeAddress}`, interceptors }),
};

export const PORTS: readonly Port[] = [CONNECT, GRPC, NATIVE];

/** A client that sends these headers with every call. */
export function callerOf(
  usher: Usher,
  port: Port,
  headers: Readonly<Record<string, string>> = {},
): QueueClient {
  return createClient(QueueService, port.transport(usher, [adding(headers)]));
}

function adding(headers: Readonly<Record<string, string>>): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
}

/** A client that may call everything. */
export function backendOf(usher: Usher, port: Port = CONNECT): QueueClient {
  return callerOf(usher, port, { "usher-api-key": usher.apiKey });
}

/** An operator's client. */
export function adminOf(usher: Usher, port: Port = CONNECT): Client<typeof AdminService> {
  return createClient(AdminService, port.transport(usher, [adding({ "usher-api-key": usher.apiKey })]));
}

/** What a client is told of a refusal. */
export interface Refusal {
  readonly code: string;
  /** Of `google.rpc.ErrorInfo`. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly message: string;
  /** Of `google.rpc.RetryInfo`, in milliseconds; absent: trying again makes no sense. */
  readonly retry_ms: number | undefined;
}

/** Waits for a call to be refused; throws when it is not. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    (answer) => {
      throw new Error(`not refused, but answered: ${inspect(answer)}`);
    },
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const [info] = error.findDetails(ErrorInfoSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const delay = retry?.retryDelay;
  return {
    code: Code[error.code],
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    message: error.rawMessage,
    retry_ms: delay && Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000,
  };
}

/** The refusals of several calls that are under way. */
export function refusalsOf(...calls: Promise<unknown>[]): Promise<Refusal[]> {
  return Promise.all(calls.map(refusalOf));
}
