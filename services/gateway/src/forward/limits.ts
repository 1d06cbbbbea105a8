// Every limit of what goes to a service, in one place.

export const SERVICE_LIMITS = {
  /** Connections to one service, and so requests at it, at once; 4,096. One more is refused, rather than made to wait
   * in a queue that nobody sees: waiting is for tickets. Queues set lower limits; this one holds where none does. */
  connections: 4_096,
  /** How long, in milliseconds, connecting may take; 5,000. Time-outs of undici are up to a second late. */
  connect_ms: 5_000,
  /** How long, in milliseconds, an idle connection is kept; 2,000: shorter than services keep theirs (gunicorn 2 s,
   * Node 5 s), since a request that meets a connection being closed is lost, and nobody knows what became of it. A
   * service that tells its own time (`Keep-Alive: timeout=`) is believed, less two seconds. */
  keep_alive_ms: 2_000,
  /** The longest, in milliseconds, that a service is believed; 60,000. */
  keep_alive_most_ms: 60_000,
  /** How long, in milliseconds, a service may be silent within an answer that is streamed, unless the route says
   * otherwise; 60,000. While the client takes nothing, the service is not blamed. */
  silence_ms: 60_000,
  /** The same of a stream of events (`text/event-stream`), and of a connection that has gone on in another protocol, in
   * either of which nothing may happen for long; 3,600,000: an hour. */
  event_silence_ms: 3_600_000,
  /** Bytes a second that a client has to take of an answer which it holds up, where that keeps a slot of a limit, lest it
   * is cut when the route's `timeout` is over; 16,384: below what any phone with a signal takes. */
  slow_bytes: 16_384,
  /** Bytes that it may have taken beside what is seen of it, since the kernel tells only of a third of its buffer at once;
   * 1 MiB. So nobody is cut for slowness within the first 64 seconds of holding an answer up. */
  unseen_bytes: 1_024 * 1_024,
  /** Bytes of an answer's headers; 65,536: beyond what any server sends by itself. */
  header_bytes: 65_536,
  /** Bytes of an answer that is kept for a ticket's holder, unless the route says otherwise; 1 MiB. */
  response_bytes: 1_024 * 1_024,
  /** Bytes of a request's body, on its way from client to service, that are held at most; 65,536. */
  upload_bytes: 65_536,
} as const;

export type ServiceLimits = { readonly [name in keyof typeof SERVICE_LIMITS]: number };
