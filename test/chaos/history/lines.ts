// What a run writes down as it happens, a line for each event, so that the checker can judge it afterwards: what
// clients did and were told (the history), and what reached the service (the service's own history). Times are the
// machine's wall clock, in milliseconds since 1970, as in the log's records.

/** How a call ended: `ok`, `refused` (nothing happened), or `unknown` (it may have happened). */
export type Told = "ok" | "refused" | "unknown";

/**
 * - `request`: an HTTP request for a queue that stores requests; `poll`, `collect`: asking for its ticket, its answer.
 * - `issue`, `look`, `watch`, `leave`, `complete`, `admit`: the RPCs; `leave` over HTTP, too.
 * - `count`: asking how a queue stands; `state`: for the digest of all that a node knows.
 */
export type Op =
  | "request"
  | "poll"
  | "collect"
  | "issue"
  | "look"
  | "watch"
  | "leave"
  | "complete"
  | "admit"
  | "count"
  | "state";

/** A ticket as a client was shown it. */
export interface Seen {
  readonly queue: string;
  readonly epoch: string;
  readonly number: number;
  readonly state: TicketState;
  /** Absent without a stored request. */
  readonly request?: RequestState;
  readonly position?: number;
  /** How far into the log this is said to be true. */
  readonly as_of: number;
  readonly stale: boolean;
}

/** A queue as it was shown. */
export interface Counted {
  readonly queue: string;
  readonly waiting: number;
  readonly now_serving: number;
  readonly last_number: number;
  readonly as_of: number;
}

/** A node's whole state, as it told it. */
export interface Stated {
  readonly digest: string;
  readonly as_of: number;
}

export type TicketState = "waiting" | "admitted" | "completed" | "left" | "expired";
export type RequestState = "stored" | "sending" | "answered" | "failed" | "unknown";

export interface Began {
  readonly kind: "began";
  readonly at_ms: number;
  /** Counts the calls of a run, from 1. */
  readonly call: number;
  readonly op: Op;
  readonly node: string;
  readonly queue: string;
  /** Whose it is: one of these holds a ticket, and makes its calls about it one after another. */
  readonly client: string;
  /** The hash by which the log knows the call's idempotency key; absent without one. */
  readonly key?: string;
  /** Names what an HTTP request asks for, to the service. A retry under the same key asks for the same. */
  readonly wish?: string;
  /** The `as_of` that it echoes. */
  readonly as_of?: number;
  /** Of an Admit. */
  readonly request_id?: string;
}

/** A message of a stream. */
export interface Saw {
  readonly kind: "saw";
  readonly at_ms: number;
  readonly call: number;
  readonly seen: Seen;
}

export interface Ended {
  readonly kind: "ended";
  readonly at_ms: number;
  readonly call: number;
  readonly told: Told;
  /** What it was told in one word: a reason of Usher's, a status, an error's code. */
  readonly reason?: string;
  readonly seen?: Seen;
  /** The ticket's number, where it was told without the rest. */
  readonly number?: number;
  /** The service's answer came with it. */
  readonly answer?: Answer;
  /** It was told that its stored request has ended so, or its ticket. */
  readonly end?: Exclude<RequestState, "stored" | "sending"> | "left" | "expired";
  /** Whom an Admit admitted. */
  readonly numbers?: readonly number[];
  readonly counted?: Counted;
  readonly stated?: Stated;
}

/** What the service says in its answers of itself. */
export interface Answer {
  /** Which arrival it answers. */
  readonly arrival: number;
  readonly wish: string;
}

/** What was done to the cluster, the nodes or the load. */
export interface Noted {
  readonly kind: "noted";
  readonly at_ms: number;
  readonly what: "load" | "fault" | "healed" | "load over" | "drained" | "other";
  readonly text: string;
}

export type HistoryLine = Began | Saw | Ended | Noted;

export interface Arrived {
  readonly kind: "arrived";
  readonly at_ms: number;
  /** Counts the requests that the service got, from 1. */
  readonly arrival: number;
  readonly queue: string;
  readonly wish: string;
  readonly key: string;
  /** Of the header `Usher-Ticket`; absent for what was sent straight through. */
  readonly ticket?: number;
  readonly idempotent: boolean;
}

export interface Answered {
  readonly kind: "answered";
  readonly at_ms: number;
  readonly arrival: number;
  /** `cut`: the service broke off without an answer; `gone`: the other side did, before it was answered. */
  readonly status: number | "cut" | "gone";
}

export type ServiceLine = Arrived | Answered;
