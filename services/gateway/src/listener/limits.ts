// Every limit of the listener, in one place. Tests lower some; nothing else changes them.

export const LISTENER_LIMITS = {
  /** Connections at once, both protocols and all addresses together; 8,192. One more is closed at once. With as
   * many to services, they stay below the 20,000 file descriptors of a usual process. */
  connections: 8_192,
  /** Requests that have begun and are not over, at once; 20,000. One more is refused with 503. An HTTP/2 connection
   * alone may bring 128, so connections do not bound them. */
  requests: 20_000,
  /** Connections that the kernel may hold ready while this process is busy, per address; 4,096, which is also what Linux
   * allows by itself. Node's default of 511 overflows when thousands come within a second, and whoever is dropped
   * comes again a second later, or three. */
  backlog: 4_096,
  /** How long, in milliseconds, a connection is silent before the kernel asks whether its client is still there; 30,000.
   * Where ten questions, a second apart, stay without an answer, it is closed: who vanished without a word, as a phone
   * out of reach, would else keep a slot for as long as a stream of events may be silent. */
  probe_ms: 30_000,
  /** How long, in milliseconds, a connection may stay without the first bytes that tell its protocol; 10,000. */
  first_byte_ms: 10_000,
  /** TLS: how long, in milliseconds, a handshake may take; 10,000. */
  handshake_ms: 10_000,
  /** TLS: how often, in milliseconds, the certificate's files are looked at; 10,000: soon enough for what is renewed
   * weeks ahead, and two small files are read. */
  certificate_ms: 10_000,

  /** HTTP/1.1: how long, in milliseconds, the headers of a request may take; 10,000. */
  headers_ms: 10_000,
  /** HTTP/1.1: how long, in milliseconds, a whole request may take to arrive; 30,000. */
  request_ms: 30_000,
  /** HTTP/1.1: how often, in milliseconds, the two limits above are looked after; 1,000: they are that exact. */
  check_ms: 1_000,
  /** HTTP/1.1: bytes of request line and headers together; 8,192. */
  header_bytes: 8_192,
  /** Header lines of a request; 100. A usual browser sends 20. */
  header_lines: 100,
  /** HTTP/1.1: how long, in milliseconds, a connection may stay open between two requests; 75,000. Load
   * balancers keep theirs for 60 s, and have to be those who close: a request that meets a connection being closed is
   * lost. */
  keep_alive_ms: 75_000,
  /** How long, in milliseconds, a client may take none of what is ready for it; 30,000. Then its connection
   * (HTTP/2: the stream) is cut, for what it does not take is held in memory. */
  stalled_ms: 30_000,

  /** HTTP/2: streams at once on a connection; 128. */
  streams: 128,
  /** HTTP/2: bytes of a request's header list, as HPACK counts them; 16,384. */
  header_list_bytes: 16_384,
  /** HTTP/2: invalid frames on a connection before it is cut; 50. */
  invalid_frames: 50,
  /** HTTP/2: streams refused on a connection before it is cut; 50. */
  rejected_streams: 50,
  /** HTTP/2: streams that a client may reset at once (Node's default: 1,000), and per second on average (33),
   * before its connection is cut; 200 and 10. Clients that give up watching reset a few; a rapid-reset attack
   * thousands. */
  reset_burst: 200,
  reset_rate: 10,
  /** HTTP/2: unanswered pings on a connection; 10, Node's default. (Unacknowledged settings: 10 as well, by default
   * alone, for Node's types do not have the option.) */
  pings: 10,
  /** HTTP/2: what Node may hold for one connection, in megabytes; 10, its default. */
  session_memory_MB: 10,
  /** HTTP/2: how long, in milliseconds, a new connection may stay without a request; 10,000. */
  first_stream_ms: 10_000,
  /** HTTP/2: how long, in milliseconds, a connection may stay without an open stream; 60,000. Pings do not count. */
  idle_ms: 60_000,
  /** HTTP/2: how long, in milliseconds, a client may leave a ping unanswered that is sent when its connection has
   * been silent for `stalled_ms` with streams open; 10,000. */
  ping_ms: 10_000,

  /** How long, in milliseconds, and how many bytes, a connection is still read after its request was refused before
   * all of it had come; 2,000 and 8 MiB. Closing at once would let the refusal be lost: the client's kernel drops
   * what it has received when the other side closes on unread data. */
  linger_ms: 2_000,
  linger_bytes: 8 * 1_024 * 1_024,
} as const;

export type ListenerLimits = { readonly [name in keyof typeof LISTENER_LIMITS]: number };
