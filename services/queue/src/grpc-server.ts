// The grpc-js server, and what it does not let one set. It makes its HTTP/2 server itself, with HTTP/2's defaults, and
// hands every stream to itself; the limits of this listener need both. So this one file reaches into it, and says so
// at once where a newer grpc-js has moved something: better not to start than to start without limits.

import type { EventEmitter } from "node:events";
import type { Http2Server, ServerOptions } from "node:http2";
import { type ConnectionInjector, Server, ServerCredentials, type ServerInterceptor } from "@grpc/grpc-js";
import type { Limits } from "./limits.ts";

export interface GrpcServer {
  readonly server: Server;
  /** Takes connections that this listener accepted, and lets go of them. */
  readonly injector: ConnectionInjector;
  /** Emits "session" and "stream". */
  readonly http2: Http2Server;
}

export function createGrpcServer(limits: Limits, interceptor: ServerInterceptor): GrpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": limits.message_bytes,
    "grpc.max_connection_idle_ms": limits.idle_ms,
    "grpc.keepalive_time_ms": limits.keepalive_ms,
    "grpc.keepalive_timeout_ms": limits.keepalive_timeout_ms,
    "grpc-node.max_session_memory": limits.session_memory_mb,
    // Counts every call and message for a service that is not offered here.
    "grpc.enable_channelz": 0,
    interceptors: [interceptor],
  });
  const http2Options: ServerOptions = {
    settings: { maxConcurrentStreams: limits.streams, maxHeaderListSize: limits.metadata_bytes },
    maxHeaderListPairs: limits.metadata_lines,
    maxSessionInvalidFrames: limits.invalid_frames,
    maxSessionRejectedStreams: limits.rejected_streams,
    streamResetBurst: limits.reset_burst,
    streamResetRate: limits.reset_rate,
  };
  Object.assign(inside(server, "commonServerOptions"), http2Options);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const [http2] = entries(inside(server, "http2Servers"));
  if (!isHttp2Server(http2)) {
    throw moved("http2Servers");
  }
  return { server, injector, http2 };
}

function inside(server: Server, name: string): object {
  const value: unknown = Reflect.get(server, name);
  if (typeof value !== "object" || value === null) {
    throw moved(name);
  }
  return value;
}

function entries(map: object): unknown[] {
  return map instanceof Map ? [...map.keys()] : [];
}

function isHttp2Server(value: unknown): value is Http2Server {
  const emitter = value as Partial<EventEmitter> | undefined;
  return typeof emitter?.listeners === "function" && emitter.listeners("stream").length === 1;
}

function moved(name: string): Error {
  return new Error(`this version of @grpc/grpc-js keeps its ${name} elsewhere; its limits cannot be set`);
}
