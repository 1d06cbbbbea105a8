// The listener: everything here put together, opened, and closed.
//
// open (health says NOT_SERVING, calls end as UNAVAILABLE) ──serve──▶ serving ──close──▶ closed

import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { DescService } from "@bufbuild/protobuf";
import { Health as HealthService } from "@usher/protocol/health";
import type { OnError } from "./errors.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { definitionOf, type HandlerOptions, type NativeService, nativeService } from "./handlers.ts";
import { Health } from "./health.ts";
import { LIMITS, type Limits, sweepInterval } from "./limits.ts";
import type { ObserveCall } from "./observed.ts";
import { addReflection, REFLECTION_STREAMS } from "./reflection.ts";
import type { CallPolicy } from "./request-check.ts";
import { SessionGuard } from "./session-guard.ts";
import { listen } from "./sockets.ts";
import { startingHandlers } from "./starting.ts";
import { StreamGuard } from "./stream-guard.ts";

export interface NativeListenerOptions {
  /** A name or an address; "localhost", all of whose addresses are listened on. */
  readonly host?: string;
  /** 50051, gRPC's usual one; 0: any that is free. */
  readonly port?: number;
  /** What is offered here: reflection and health know it from the start. */
  readonly services: readonly DescService[];
  /** Why they are not served yet, in words that anybody may read: asked at each call that comes before. */
  readonly starting: () => string;
  /** Differences from `LIMITS`. */
  readonly limits?: Partial<Limits>;
  /** Told of errors that no caller is told of; such a call ends as INTERNAL. */
  readonly onError: OnError;
  /** Told of each call that is one; default: nobody. */
  readonly observe?: ObserveCall;
}

export interface NativeListener {
  readonly port: number;
  /** Serves from now on, at the same port and on the connections that are there; health still says NOT_SERVING. Once,
   * with all that is offered. */
  serve(services: readonly NativeService[]): void;
  /** What health says of all services. It begins with NOT_SERVING. */
  setServing(serving: boolean): void;
  /** Health says NOT_SERVING, no more connections or calls are taken, and those under way may end for `grace_ms`
   * milliseconds; then they are cut. Streams do not end by themselves: their implementations must be told first. */
  close(options: { readonly grace_ms: number }): Promise<void>;
}

/** Throws a ListenError where the port is taken. */
export async function startNativeListener(options: NativeListenerOptions): Promise<NativeListener> {
  const limits: Limits = { ...LIMITS, ...options.limits };
  const health = new Health(options.services.map(({ typeName }) => typeName));
  const offered = [...options.services, HealthService];
  const sessions = new SessionGuard(limits);
  const streams = new StreamGuard(policiesOf(offered, limits), sessions, limits, options.observe);
  const { server, injector, http2 } = createGrpcServer(limits, streams.interceptor);
  const handling: HandlerOptions = {
    message_bytes: limits.message_bytes,
    stall_ms: limits.stall_ms,
    onError: options.onError,
    reset: (metadata) => streams.reset(metadata),
    within: (metadata, work) => streams.within(metadata, work),
  };
  const answer = ({ service, handlers }: NativeService): void => {
    const definition = definitionOf(service);
    server.removeService(definition);
    server.addService(definition, handlers(handling));
  };
  for (const service of options.services) {
    server.addService(definitionOf(service), startingHandlers(service, options.starting));
  }
  answer(nativeService(HealthService, health.service));
  addReflection(server, offered);
  sessions.watch(http2);
  streams.watch(http2, sweepInterval(limits));

  const accept = (socket: Socket) => injector.injectConnection(socket);
  const { host = "localhost", port = 50051 } = options;
  const listening = await listen(host, port, limits.connections, accept).catch((error: unknown) => {
    streams.close();
    throw error;
  });

  let closing: Promise<void> | undefined;
  const close = async (grace_ms: number): Promise<void> => {
    health.close();
    listening.stop();
    // Says GOAWAY on every connection, after which it ends with its last call, and cuts it after the grace.
    injector.drain(grace_ms);
    streams.endTools();
    await Promise.race([allClosed(listening.sockets), delay(grace_ms, undefined, { ref: false })]);
    for (const socket of listening.sockets) {
      socket.destroy();
    }
    await allClosed(listening.sockets);
    streams.close();
    server.forceShutdown();
  };
  return {
    port: listening.port,
    serve: (services) => {
      const names = new Set(services.map(({ service }) => service.typeName));
      const missing = options.services.find(({ typeName }) => !names.has(typeName));
      if (missing !== undefined) {
        throw new Error(`${missing.typeName} is offered here, and nobody serves it`);
      }
      for (const service of services) {
        answer(service);
      }
    },
    setServing: (serving) => {
      if (closing === undefined) {
        health.serving = serving;
      }
    },
    close: ({ grace_ms }) => {
      closing ??= close(grace_ms);
      return closing;
    },
  };
}

function policiesOf(services: readonly DescService[], limits: Limits): Map<string, CallPolicy> {
  const { request_ms, call_ms, reflection_ms } = limits;
  const stream: CallPolicy = { gzip: true, request_ms, tool: false };
  const unary: CallPolicy = { ...stream, total_ms: call_ms };
  const policies = new Map<string, CallPolicy>();
  for (const service of services) {
    for (const { path, responseStream } of Object.values(definitionOf(service))) {
      policies.set(path, responseStream ? stream : unary);
    }
  }
  for (const path of REFLECTION_STREAMS) {
    // Its questions come over the stream's whole life. Compressed ones would be inflated as they come.
    policies.set(path, { gzip: false, request_ms: reflection_ms, total_ms: reflection_ms, tool: true });
  }
  return policies;
}

async function allClosed(sockets: ReadonlySet<Socket>): Promise<void> {
  await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
}
