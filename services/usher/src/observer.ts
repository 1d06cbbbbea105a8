// Watches the node's replica at work, and the calls on its native port, for its metrics and traces.

import type { Change, LogEvent, LogRecord, Outcome } from "@usher/queue";
import type { ObserveCall } from "@usher/queue-service";
import type { Replica, ReplicaObserver } from "@usher/replica";
import {
  count,
  isTracing,
  type LogNames,
  measure,
  OTHER_METHOD,
  observeRpc,
  recordWait,
  startAppend,
  ticketClaimed,
  ticketForgotten,
  ticketIssued,
} from "@usher/telemetry";
import type { LogPlace } from "./config/config.ts";

type Appending = ReplicaObserver["appending"];
type Options = Parameters<Appending>[1];
type Headers = Parameters<ReplicaObserver["folded"]>[2];

export class NodeObserver implements ReplicaObserver {
  readonly #log: LogNames;
  #replica: Replica | undefined;

  constructor(log: LogNames) {
    this.#log = log;
  }

  /** What changes from here on is news: before, the log was read to its end. */
  attach(replica: Replica): void {
    this.#replica = replica;
  }

  appending(event: LogEvent, options: Options): ReturnType<Appending> {
    const span = isTracing() ? startAppend(this.#log, event, options?.headers) : undefined;
    const began_ms = performance.now();
    return {
      options: counted(event, span === undefined ? options : { ...options, headers: span.headers }),
      ended: (outcome) => {
        const result = outcome?.kind ?? "failed";
        measure("usher.log.append_seconds", [result], (performance.now() - began_ms) / 1000);
        if (outcome?.kind === "applied") countAttempt(event);
        span?.ended(result);
      },
    };
  }

  folded({ event }: LogRecord, outcome: Outcome, headers: Headers): void {
    if (headers === undefined || !isTracing()) return;
    if (event.kind === "ticket_issued" && outcome.kind === "issued" && !outcome.existing)
      ticketIssued(event.queue, outcome.number, headers);
    if (event.kind === "dispatch_claimed" && outcome.kind === "applied")
      ticketClaimed(event.queue, event.number, headers);
  }

  batch(changes: readonly Change[], took_ms: number): void {
    measure("usher.log.fold_seconds", [], took_ms / 1000);
    const replica = this.#replica;
    // Of several nodes one tells of an admission: the one that keeps time, by whose ticks nearly all come about.
    const tells = isTracing() && (replica?.shared === false || replica?.timekeeper?.own === true);
    for (const change of changes) {
      if (change.kind === "forgotten") ticketForgotten(change.queue, change.number);
      if (replica === undefined) continue;
      if (change.kind === "ended" || change.kind === "settled") countOutcome(replica, change);
      if (change.kind === "admitted" && tells) tellAdmission(replica, change);
    }
  }

  halted(): void {}
}

/** With what is stored beside the record counted. */
function counted(event: LogEvent, options: Options): Options {
  const payload = options?.payload;
  if (payload === undefined || !("queue" in event)) return options;
  return {
    ...options,
    payload: (name) => {
      const made = payload(name);
      if (made !== undefined) count("usher.payload.written_bytes", [event.queue], made.bytes.length);
      return made;
    },
  };
}

/** What this node did with stored requests, by its own records. */
function countAttempt(event: LogEvent): void {
  if (event.kind === "dispatch_claimed" && event.attempt > 1) count("usher.dispatch.retries", [event.queue]);
  if (event.kind === "request_answered") count("usher.dispatch.attempts", [event.queue, "answered"]);
  if (event.kind === "claim_released") count("usher.dispatch.attempts", [event.queue, event.reason]);
}

function countOutcome({ fold }: Replica, { queue, number }: Change): void {
  const view = fold.queue(queue)?.ticket(number);
  if (view === undefined) return;
  const outcome = view.state === "completed" ? (view.request ?? "completed") : view.state;
  const status = view.status === undefined ? "none" : `${Math.floor(view.status / 100)}xx`;
  count("usher.queue.outcomes", [queue, outcome, status]);
}

function tellAdmission({ fold }: Replica, { queue, number }: Change): void {
  const view = fold.queue(queue)?.ticket(number);
  // An operator may have a failed request tried again, which was admitted long ago.
  if (view?.admittedWall_ms === undefined || view.attempt > 0) return;
  recordWait({ queue, number, issued_ms: view.issuedWall_ms, admitted_ms: view.admittedWall_ms });
}

/** Calls on the native port. Those of health and reflection, which tools ask again and again, are not told. */
export const observeNativeCall: ObserveCall = (method, headers) =>
  method?.startsWith("grpc.") === true ? undefined : observeRpc(method ?? OTHER_METHOD, "grpc", headers);

/** The log's name in traces. */
export function logNames(place: LogPlace): LogNames {
  if (place.kind === "kafka") return { system: "kafka", destination: `${place.topics}.queues` };
  return { system: "sqlite", destination: "usher.queues" };
}
