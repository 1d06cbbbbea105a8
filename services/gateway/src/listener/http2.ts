// Node's HTTP/2 server, without TLS (h2c), hardened, fed with connections that others have accepted.

import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { EdgeRequest, EdgeResponse } from "./exchange.ts";
import type { ListenerLimits } from "./limits.ts";

type Deliver = (req: EdgeRequest, res: EdgeResponse) => void;

/** HTTP/2's error code for a stream that is given up. */
const CANCEL = 0x8;

export function createHttp2(limits: ListenerLimits, deliver: Deliver): Http2Server {
  const server = createServer({
    settings: {
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: limits.header_list_bytes,
      enablePush: false,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: limits.header_lines,
    maxSessionInvalidFrames: limits.invalid_frames,
    maxSessionRejectedStreams: limits.rejected_streams,
    streamResetBurst: limits.reset_burst,
    streamResetRate: limits.reset_rate,
    maxOutstandingPings: limits.pings,
    maxSessionMemory: limits.session_memory_MB,
    // A service's doubled header is passed on as it is; Node would throw.
    strictSingleValueFields: false,
  });
  server.on("request", deliver);
  server.on("checkContinue", deliver);
  server.on("checkExpectation", deliver);
  server.on("connect", deliver);
  server.on("session", (session) => keepTime(session, limits));
  // Ends the session, and concerns nobody else.
  server.on("sessionError", () => undefined);
  return server;
}

/** Closes a session that brings no request, or none any more, or whose client no longer takes or answers anything.
 * Node has no such timers of its own. */
function keepTime(session: ServerHttp2Session, limits: ListenerLimits): void {
  const close = (): void => (session.closed ? session.destroy() : session.close());
  let open = 0;
  let idle = setTimeout(() => session.destroy(), limits.first_stream_ms);
  session.on("stream", (stream) => {
    clearTimeout(idle);
    open += 1;
    watchStall(stream, limits);
    stream.once("close", () => {
      open -= 1;
      if (open > 0 || session.destroyed) return;
      clearTimeout(idle);
      idle = setTimeout(close, limits.idle_ms);
    });
  });
  session.once("close", () => clearTimeout(idle));
  session.setTimeout(limits.stalled_ms);
  session.on("timeout", () => checkAlive(session, limits));
}

/** A stream whose client takes nothing of what is ready for it: its window is shut. */
function watchStall(stream: ServerHttp2Stream, limits: ListenerLimits): void {
  stream.setTimeout(limits.stalled_ms);
  stream.on("timeout", () => {
    if (stream.writableLength > 0) stream.close(CANCEL);
  });
}

/** A connection that has been silent both ways: a client that is there answers a ping. */
function checkAlive(session: ServerHttp2Session, limits: ListenerLimits): void {
  if (session.destroyed || session.closed) return;
  const dead = setTimeout(() => session.destroy(), limits.ping_ms);
  session.once("close", () => clearTimeout(dead));
  if (!session.ping(() => clearTimeout(dead))) session.destroy();
}
