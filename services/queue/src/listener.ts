// The listener: everything here put together, opened, and closed.

import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Health as HealthService } from "@usher/protocol/health";
import type { OnError } from "./errors.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { type NativeService, nativeService } from "./handlers.ts";
import { Health } from "./health.ts";
import { LIMITS, type Limits, sweepInterval } from "./limits.ts";
import { addReflection, REFLECTION_STREAMS } from "./reflection.ts";
import type { CallPolicy } from "./request-check.ts";
import { SessionGuard } from "./session-guard.ts";
import { listen } from "./sockets.ts";
import { StreamGuard } from "./stream-guard.ts";

export interface NativeListenerOptions {
  /** A name or an address; "localhost", all of whose addresses are listened on. */
  readonly host?: string;
  /** 50051, gRPC's usual one; 0: any that is free. */
  readonly port?: number;
  readonly services: readonly NativeService[];
  /** Differences from `LIMITS`. */
  readonly limits?: Partial<Limits>;
  /** Told of errors that no caller is told of; such a call ends as INTERNAL. */
  readonly onError: OnError;
}

export interface NativeListener {
  readonly port: number;
  /** What health says of all services. It begins with NOT_SERVING. */
  setServing(serving: boolean): void;
  /** Health says NOT_SERVING, no more connections or calls are taken, and those under way may end for `grace_ms`
   * milliseconds; then they are cut. Streams do not end by themselves: their implementations must be told first. */
  close(options: { readonly grace_ms: number }): Promise<void>;
}

/** Throws a ListenError where the port is taken. */
export async function startNativeListener(options: NativeListenerOptions): Promise<NativeListener> {
  const limits: Limits = { ...LIMITS, ...options.limits };
  const health = new Health(options.services.map(({ service }) => service.typeName));
  const services = [...options.services, nativeService(HealthService, health.service)];
  const sessions = new SessionGuard(limits);
  const streams = new StreamGuard(policiesOf(services, limits), sessions, limits);
  const { server, injector, http2 } = createGrpcServer(limits, streams.interceptor);
  for (const service of services) {
    const handlers = service.handlers({
      message_bytes: limits.message_bytes,
      stall_ms: limits.stall_ms,
      onError: options.onError,
      reset: (metadata) => streams.reset(metadata),
    });
    server.addService(service.definition, handlers);
  }
  addReflection(
    server,
    services.map(({ service }) => service),
  );
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

function policiesOf(services: readonly NativeService[], limits: Limits): Map<string, CallPolicy> {
  const { request_ms, call_ms, reflection_ms } = limits;
  const stream: CallPolicy = { gzip: true, request_ms, tool: false };
  const unary: CallPolicy = { ...stream, total_ms: call_ms };
  const policies = new Map<string, CallPolicy>();
  for (const { definition } of services) {
    for (const { path, responseStream } of Object.values(definition)) {
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
