// The ways in which clients reach Usher: four protocols on the gateway's port, and gRPC on the native one, there by
// connect's client and by gRPC's own.

import { Agent } from "node:http";
import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { Usher } from "../../support/usher.ts";
import { GrpcJsTransport } from "./grpc-js-transport.ts";
import { CONNECT_JSON, CONNECT_PROTO, GRPC, GRPC_WEB, type Wire } from "./wire.ts";

export interface Target {
  readonly name: string;
  /** Which calls need an API key here. */
  readonly keys: "backends" | "all";
  /** Whether calls without side effects may come by GET. */
  readonly get: boolean;
  /** Where it listens, as a URL. */
  url(usher: Usher): string;
  /** How its bytes look, for cases that send bytes no client would. */
  readonly wire: Wire;
  /** Speaks to it, with or without an API key. */
  transport(usher: Usher, apiKey?: string): Transport;
}

const gateway = { keys: "backends", url: ({ gatewayUrl }: Usher) => gatewayUrl } as const;
const native = {
  keys: "all",
  get: false,
  url: ({ nativeAddress }: Usher) => `http://${nativeAddress}`,
} as const;

export const TARGETS: readonly Target[] = [
  {
    ...gateway,
    name: "Connect with JSON, on the gateway",
    get: true,
    wire: CONNECT_JSON,
    transport: (usher, apiKey) =>
      createConnectTransport({ ...optionsOf(gateway.url(usher), apiKey), ...http1() }),
  },
  {
    ...gateway,
    name: "Connect in binary, on the gateway",
    get: true,
    wire: CONNECT_PROTO,
    transport: (usher, apiKey) =>
      createConnectTransport({
        ...optionsOf(gateway.url(usher), apiKey),
        ...http1(),
        useBinaryFormat: true,
      }),
  },
  {
    ...gateway,
    name: "gRPC-Web, on the gateway",
    get: false,
    wire: GRPC_WEB,
    transport: (usher, apiKey) =>
      createGrpcWebTransport({ ...optionsOf(gateway.url(usher), apiKey), ...http1() }),
  },
  {
    ...gateway,
    name: "gRPC, on the gateway",
    get: false,
    wire: GRPC,
    transport: (usher, apiKey) => createGrpcTransport(optionsOf(gateway.url(usher), apiKey)),
  },
  {
    ...native,
    name: "gRPC, on the native listener",
    wire: GRPC,
    transport: (usher, apiKey) => createGrpcTransport(optionsOf(native.url(usher), apiKey)),
  },
  {
    ...native,
    name: "gRPC by grpc-js, on the native listener",
    wire: GRPC,
    transport: (usher, apiKey) => new GrpcJsTransport(usher.nativeAddress, keyHeader(apiKey)),
  },
];

/** Connections of the transport's own, which live as long as they are used. */
function http1() {
  return { httpVersion: "1.1", nodeOptions: { agent: new Agent({ keepAlive: true }) } } as const;
}

function optionsOf(
  baseUrl: string,
  apiKey: string | undefined,
): { baseUrl: string; interceptors: Interceptor[] } {
  const headers = keyHeader(apiKey);
  const interceptor: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) {
      request.header.set(name, value);
    }
    return next(request);
  };
  return { baseUrl, interceptors: [interceptor] };
}

function keyHeader(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { "usher-api-key": apiKey };
}
