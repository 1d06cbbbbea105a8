// What one client, or all of them together, may take of this listener. Whoever goes beyond is refused with a status
// where one can still be sent, else loses the stream or the connection; nobody else notices.

export interface Limits {
  /** Bytes of one request message, inflated; 64 KiB. The largest legal request (16 attributes, a token) has 6 KiB. */
  readonly message_bytes: number;
  /** Bytes of one request's metadata as HTTP/2 counts it, names and values and 32 a line; 16 KiB. */
  readonly metadata_bytes: number;
  /** Lines of one request's metadata; 64. Tracing, auth and proxies together use about 20. */
  readonly metadata_lines: number;
  /** Connections at once; 4,000: with the gateway's, well below the 20,000 descriptors that a process has here. */
  readonly connections: number;
  /** Calls at once on one connection; 256: a backend multiplexes, a page of watchers fits; more open another. */
  readonly streams: number;
  /** Megabytes that HTTP/2 itself may hold for one connection; 16: new calls are refused until it has sent some. */
  readonly session_memory_mb: number;
  /** Milliseconds from connecting to the HTTP/2 preface; 10,000: a slow handshake, not a held socket. */
  readonly handshake_ms: number;
  /** Milliseconds that a connection without a call is kept; 300,000, gRPC's usual five minutes and some. */
  readonly idle_ms: number;
  /** Milliseconds from a call's headers to the end of its request; 30,000: 64 KiB at 2 KiB a second. */
  readonly request_ms: number;
  /** Milliseconds that a call with one answer may take in all; 120,000: none of them waits for anything but the log. */
  readonly call_ms: number;
  /** Milliseconds that one answer of a stream may wait for its reader; 60,000, four times the silence that streams allow. */
  readonly stall_ms: number;
  /** Milliseconds that a reflection stream may stay open; 300,000: tools ask and go; others ask again. */
  readonly reflection_ms: number;
  /** Milliseconds of silence after which a connection is pinged, to find those that are half dead; 30,000. */
  readonly keepalive_ms: number;
  /** Milliseconds that the answer to a ping may take before the connection is given up; 20,000, gRPC's default. */
  readonly keepalive_timeout_ms: number;
  /** Pings and settings that a connection may send at once; 1,000. Go's clients ping to measure the line as often
   * as they get data, so each call adds one, up to this. */
  readonly control_burst: number;
  /** Pings and settings that it may send a second beyond that; 100. */
  readonly control_rate: number;
  /** Calls that a client may reset at once; 400: all of its 256 may go in one breath, a flood may not. */
  readonly reset_burst: number;
  /** Calls that it may reset a second beyond that; 20. */
  readonly reset_rate: number;
  /** Bad frames after which a connection is closed; 50. */
  readonly invalid_frames: number;
  /** Refused calls after which a connection is closed; 50. */
  readonly rejected_streams: number;
}

export const LIMITS: Limits = {
  message_bytes: 64 * 1024,
  metadata_bytes: 16 * 1024,
  metadata_lines: 64,
  connections: 4_000,
  streams: 256,
  session_memory_mb: 16,
  handshake_ms: 10_000,
  idle_ms: 300_000,
  request_ms: 30_000,
  call_ms: 120_000,
  stall_ms: 60_000,
  reflection_ms: 300_000,
  keepalive_ms: 30_000,
  keepalive_timeout_ms: 20_000,
  control_burst: 1_000,
  control_rate: 100,
  reset_burst: 400,
  reset_rate: 20,
  invalid_frames: 50,
  rejected_streams: 50,
};

/** How often the clocks above are looked at, in milliseconds; 1,000, or less where a limit is shorter (in tests). */
export function sweepInterval(limits: Limits): number {
  return Math.min(1_000, limits.request_ms, limits.call_ms, limits.reflection_ms);
}
