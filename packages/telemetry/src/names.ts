// Every metric, in one place. Prometheus shows dots as underscores, and adds `_total` to what only rises.

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
  "usher.queue.waiting": {
    kind: "gauge",
    meaning: "Tickets that wait.",
    read: ({ queues }) => queues.map(({ name, waiting }) => of(name, waiting)),
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
};

function one(value: number): Reading[] {
  return [{ value }];
}

function of(queue: string, value: number): Reading {
  return { value, attributes: { queue } };
}
