// The calls of the contract, as the client makes them. Each way over the wire answers them: gRPC (grpc/), Connect
// (connect/), and the queue in memory of the tests. A call is made once here; making it again is up to the caller.
//
//   base-url.ts   where servers are, as options say      nodes.ts     several nodes as one
//   obstacles.ts  why one could not be reached           api-key.ts   a key as a header

import type { Status, TicketState } from "../status.ts";

export interface Call {
  readonly signal?: AbortSignal | undefined;
  /** How long a call may take, in milliseconds. For streams, until the first message. */
  readonly timeout: number;
}

export interface IssueCall {
  readonly queue: string;
  readonly idempotencyKey: string;
  readonly subject?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

export interface Issued {
  readonly status: Status;
  readonly token: string;
  readonly existing: boolean;
}

/** A ticket, and how far its holder has seen. */
export interface Held {
  readonly token: string;
  readonly asOf: string;
}

/** One message of a stream of positions. */
export interface Watched {
  readonly status?: Status;
  /** The node shuts down: come back after so many milliseconds, here or elsewhere. */
  readonly reconnectAfter?: number;
}

/** How a queue stands, for anybody to see. */
export interface QueueStatus {
  readonly name: string;
  /** Whether requests wait in it (`defer`), or people (`pass`); `other`: a kind that this build does not know. */
  readonly kind: "defer" | "pass" | "other";
  /** How it treats newcomers and those who wait; `other`: a mode that this build does not know.
   * - `auto`: the usual: straight through while the limit allows and nobody waits, else a ticket.
   * - `queue_all`: everybody takes a ticket.
   * - `paused`: tickets are given out, and nobody is admitted, except by `admit`.
   * - `open`: newcomers go straight through.
   * - `closed`: newcomers are refused; those who wait are served. */
  readonly mode: "auto" | "queue_all" | "paused" | "open" | "closed" | "other";
  /** How many tickets wait. */
  readonly waiting: number;
  /** The highest number admitted so far; 0 before the first. */
  readonly nowServing: number;
  /** The number that the last ticket got; 0 before the first. */
  readonly lastNumber: number;
  /** Tickets admitted a second, lately; absent where not known. */
  readonly pacePerSecond?: number;
  /** The operator's words to those who wait. */
  readonly notice?: string;
}

/** Whom to admit: so many from the front, or one. */
export type AdmitWhom = { readonly count: number } | { readonly ticket: string };

export interface AdmitCall {
  readonly queue: string;
  readonly whom: AdmitWhom;
  readonly requestId: string;
}

export interface Admitted {
  /** How many were admitted under this request id, whenever it first came. */
  readonly admitted: number;
  /** Their numbers, in the order of admission. */
  readonly numbers: readonly number[];
  /** How many wait now. */
  readonly waiting: number;
}

/** One message of a stream of admissions. */
export interface AdmissionMessage {
  readonly cursor: string;
  readonly ticket?: TicketFacts;
  readonly subject?: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly reconnectAfter?: number;
}

/** What all may know of a ticket. */
export interface TicketFacts {
  /** Names the ticket for ever: `<queue>:<epoch>:<number>`. Holds no secret. */
  readonly id: string;
  /** The queue's name. */
  readonly queue: string;
  /** The n-th ticket of the queue has number n. */
  readonly number: number;
  /** Where it is in its life. */
  readonly state: TicketState;
  /** By the server's clock: for display. */
  readonly issuedAt?: Date;
  /** By the server's clock: for display. Absent while it waits. */
  readonly admittedAt?: Date;
}

/** What visitors and services may call. All reject with a `UsherError`. */
export interface Rpc {
  issue(request: IssueCall, call: Call): Promise<Issued>;
  getTicket(held: Held, call: Call): Promise<Status>;
  watchPosition(held: Held, call: Call): AsyncIterable<Watched>;
  leave(token: string, call: Call): Promise<Status>;
  getQueue(queue: string, call: Call): Promise<QueueStatus>;
  close(): void;
}

/** What backends may call, with an API key. */
export interface BackendRpc extends Rpc {
  admit(request: AdmitCall, call: Call): Promise<Admitted>;
  watchAdmissions(queue: string, cursor: string, call: Call): AsyncIterable<AdmissionMessage>;
  complete(ticket: string, call: Call): Promise<TicketFacts>;
}
