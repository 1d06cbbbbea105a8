// Everything that a node tells in numbers and spans, by name. What is `read` is looked up when somebody asks
// (readings.ts); what is tallied is counted as it happens (tally.ts). Prometheus shows dots as underscores, and adds
// `_total` to what only rises. docs/telemetry.md lists them for operators, and a test holds the two together.

import type { Readings } from "./readings.ts";

/** One number, and what it belongs to. */
export interface Reading {
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface Metric {
  /** A gauge goes up and down; a counter only rises while the node runs. */
  readonly kind: "gauge" | "counter";
  readonly meaning: string;
  readonly read: (readings: Readings) => Iterable<Reading>;
}

export interface TallySpec {
  readonly kind: "counter" | "histogram";
  readonly meaning: string;
  /** Their values come from the configuration, or from closed sets: never from a request. */
  readonly labels: readonly string[];
  /** Of a histogram: the upper ends of its buckets, rising. */
  readonly bounds?: readonly number[];
}

/** From a store's quick commit to a call that is given up, in seconds. */
const WRITE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** From a batch of one record to a replay's, in seconds. */
const FOLD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5] as const;

/** From a cache's answer to a time-out of minutes, in seconds. */
const SERVICE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export const TALLIES = {
  "usher.gateway.arrivals": {
    kind: "counter",
    meaning: "Requests that came for a route, by its queue; none: a route without one.",
    labels: ["queue"],
  },
  "usher.gateway.decisions": {
    kind: "counter",
    meaning: "What became of requests for a queue, and why: passed straight on, queued, or refused.",
    labels: ["queue", "action", "reason"],
  },
  "usher.gateway.answers": {
    kind: "counter",
    meaning: "Requests that were answered here, by the class of the status; gone: the client left before.",
    labels: ["status"],
  },
  "usher.gateway.refusals": {
    kind: "counter",
    meaning: "Problems that were answered, by reason: the door's, the queues', and those of a service.",
    labels: ["reason"],
  },
  "usher.rpc.calls": {
    kind: "counter",
    meaning: "RPCs that ended, by method (_OTHER: none that is there), protocol and gRPC's name of the code.",
    labels: ["method", "protocol", "code"],
  },
  "usher.service.request_seconds": {
    kind: "histogram",
    meaning: "How long requests to a service took, to the end of the answer, by its status or what happened.",
    labels: ["service", "result"],
    bounds: SERVICE_SECONDS,
  },
  "usher.dispatch.attempts": {
    kind: "counter",
    meaning: "Attempts of this node at stored requests, by how they ended.",
    labels: ["queue", "result"],
  },
  "usher.dispatch.retries": {
    kind: "counter",
    meaning: "Stored requests that this node claimed for another attempt than the first.",
    labels: ["queue"],
  },
  "usher.dispatch.held": {
    kind: "counter",
    meaning:
      "Times that another attempt was put off, because too much of what goes to its service had been there before.",
    labels: ["queue"],
  },
  "usher.queue.outcomes": {
    kind: "counter",
    meaning:
      "Tickets that ended since this node started, by how, and by the class of the service's status where it answered.",
    labels: ["queue", "outcome", "status"],
  },
  "usher.log.append_seconds": {
    kind: "histogram",
    meaning: "From an append to the fold of its record, by what became of it; ticks are not counted.",
    labels: ["result"],
    bounds: WRITE_SECONDS,
  },
  "usher.log.fold_seconds": {
    kind: "histogram",
    meaning: "How long batches of records took to fold.",
    labels: [],
    bounds: FOLD_SECONDS,
  },
  "usher.payload.written_bytes": {
    kind: "counter",
    meaning: "Bytes of encrypted requests, answers and details that this node has stored.",
    labels: ["queue"],
  },
} as const satisfies Record<string, TallySpec>;

export const METRICS: Readonly<Record<string, Metric>> = {
  "usher.node.info": {
    kind: "gauge",
    meaning: "Always 1; its labels say which node this is, and which version it runs.",
    read: ({ node, version }) => [{ value: 1, attributes: { node, version } }],
  },
  "usher.node.ready": {
    kind: "gauge",
    meaning: "1 while the node gives out tickets, else 0.",
    read: ({ ready }) => one(Number(ready)),
  },
  "usher.node.streams": {
    kind: "gauge",
    meaning: "Connections on which a place is watched, or an answer waited for.",
    read: ({ streams }) => one(streams),
  },
  "usher.timekeeper.own": {
    kind: "gauge",
    meaning:
      "1 while this node keeps log time, else 0. Over all nodes the sum is 1, and briefly 0 at a change.",
    read: ({ keepsTime }) => one(Number(keepsTime)),
  },
  "usher.timekeeper.term": {
    kind: "gauge",
    meaning: "The last term that was opened. Rises whenever the timekeeper changes.",
    read: ({ term }) => one(term),
  },
  "usher.log.time_seconds": {
    kind: "gauge",
    meaning: "Log time: the sum of all ticks. Stands still while nobody keeps time.",
    read: ({ logTime_ms }) => one(logTime_ms / 1000),
  },
  "usher.log.lag_seconds": {
    kind: "gauge",
    meaning: "How long ago the node had read the whole log.",
    read: ({ lag_ms }) => one(lag_ms / 1000),
  },
  "usher.log.as_of": {
    kind: "gauge",
    meaning: "How far into the log the node has read: the offset after its last entry.",
    read: ({ asOf }) => one(asOf),
  },
  "usher.log.state": {
    kind: "gauge",
    meaning:
      "1 for how the node stands to the log, 0 for the other states; stale mends by itself, halted does not.",
    read: ({ log }) =>
      ["current", "stale", "halted"].map((state) => ({
        value: Number(state === log),
        attributes: { state },
      })),
  },
  "usher.log.records": {
    kind: "counter",
    meaning:
      "Entries read since the node started: folded counted, ignored had no effect, skipped were no records.",
    read: ({ records }) =>
      Object.entries(records).map(([outcome, value]) => ({ value, attributes: { outcome } })),
  },
  "usher.data.bytes": {
    kind: "gauge",
    meaning:
      "What the node's data take on its disk: the embedded log, or the spool of what a Kafka log stores, with its journal.",
    read: ({ data_bytes }) => one(data_bytes),
  },
  "usher.queue.waiting": {
    kind: "gauge",
    meaning: "Tickets that wait.",
    read: ({ queues }) => queues.map(({ name, waiting }) => of(name, waiting)),
  },
  "usher.queue.oldest_wait_seconds": {
    kind: "gauge",
    meaning: "How long the first of those who wait has waited, in log time without pauses; 0: nobody waits.",
    read: ({ queues }) => queues.map(({ name, oldestWait_ms = 0 }) => of(name, oldestWait_ms / 1000)),
  },
  "usher.queue.active": {
    kind: "gauge",
    meaning: "Tickets that are admitted and have not ended.",
    read: ({ queues }) => queues.map(({ name, active }) => of(name, active)),
  },
  "usher.queue.admissions": {
    kind: "counter",
    meaning: "Tickets admitted since the queue was made.",
    read: ({ queues }) => queues.map(({ name, admissions }) => of(name, admissions)),
  },
  "usher.event_loop.delay_seconds": {
    kind: "gauge",
    meaning: "By how much the event loop was late since metrics were last asked for, by quantile.",
    read: ({ process: { loopDelay_s } }) =>
      Object.entries(loopDelay_s).map(([quantile, value]) => ({ value, attributes: { quantile } })),
  },
  "process.resident_memory_bytes": {
    kind: "gauge",
    meaning: "Memory that the process takes.",
    read: ({ process }) => one(process.resident_bytes),
  },
  "process.heap_bytes": {
    kind: "gauge",
    meaning: "Of it, what JavaScript's heap holds.",
    read: ({ process }) => one(process.heap_bytes),
  },
  "process.cpu_seconds": {
    kind: "counter",
    meaning: "Processor time that the process has used.",
    read: ({ process }) => one(process.cpu_s),
  },
  "process.start_time_seconds": {
    kind: "gauge",
    meaning: "When the process started, in seconds since 1970.",
    read: ({ process }) => one(process.started_s),
  },
};

/** The spans of Usher's own; those of HTTP and of RPCs are named by the semantic conventions, `POST /orders`. */
export const SPANS = {
  /** Straight through, a ticket, or a refusal. */
  decide: "usher.decide",
  /** From the record that issued a ticket to its admission; made afterwards, by the node that keeps time. */
  wait: "usher.wait",
  /** A moment: the ticket's turn has come. */
  admit: "usher.admit",
  /** A stored request in one node's hands: claimed, sent, and the log told what became of it. */
  dispatch: "usher.dispatch",
  /** A holder is handed the answer to a stored request. */
  collect: "usher.collect",
} as const;

/** The name of the span of an append: `append ticket_issued`. */
export function appendSpan(kind: string): string {
  return `append ${kind}`;
}

/** What spans say beside what the semantic conventions name. No ids of people, no secrets, no paths or queries: a
 * path may hold a token, or a name. */
export const ATTRIBUTES = {
  queue: "usher.queue.name",
  ticket: "usher.ticket.number",
  attempt: "usher.attempt",
  action: "usher.decision.action",
  reason: "usher.decision.reason",
  outcome: "usher.outcome",
  service: "usher.service.name",
} as const;

function one(value: number): Reading[] {
  return [{ value }];
}

function of(queue: string, value: number): Reading {
  return { value, attributes: { queue } };
}
