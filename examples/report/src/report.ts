// The report: records go in, one by one in the log's order, and rows come out, one for each queue and minute.
//
//   main.ts     the program                     topic.ts   reads the topic, with kafkajs
//   report.ts   this                            log.ts     from bytes to records that count
//   queue.ts    one queue and its tickets       tally.ts   what happened in a minute
//   table.ts    rows as text

import { type Fact, Log } from "./log.ts";
import { QueueReport } from "./queue.ts";
import { emptyTally, type Tally } from "./tally.ts";

const MINUTE_MS = 60_000;

/** A minute of one queue. A minute in which nothing happened has none. */
export interface Row extends Tally {
  /** As "2026-11-22T20:15Z". */
  readonly minute: string;
  readonly queue: string;
}

export class Report {
  readonly #log = new Log();
  readonly #row: (row: Row) => void;
  readonly #queues = new Map<string, QueueReport>();
  /** What happened in the present minute, by queue. */
  readonly #tallies = new Map<string, Tally>();
  /** The present minute, since 1970. It follows the highest wall clock of the records: a clock that is behind does not
   * turn it back, so that a row is final as soon as it is told. */
  #minute = 0;
  /** The last record's. */
  #wall_ms = 0;

  /** Each row is told when its minute is over. */
  constructor(row: (row: Row) => void) {
    this.#row = row;
  }

  get passedOver(): Log["passedOver"] {
    return this.#log.passedOver;
  }

  /** Takes the next entry of the log. Throws a `ReportError` where there is no sense in going on. */
  read(value: Uint8Array): void {
    const fact = this.#log.read(value);
    if (fact === undefined) return;
    const minute = Math.floor(fact.wall_ms / MINUTE_MS);
    if (minute > this.#minute) {
      this.close();
      this.#minute = minute;
    }
    this.#wall_ms = fact.wall_ms;
    const { kind, time_ms } = fact;
    if (kind.case === "tick") for (const queue of this.#queues.values()) queue.tick(time_ms);
    else if (kind.value !== undefined && "queue" in kind.value) this.#queue(kind.value.queue, fact);
  }

  /** Tells the rows of the present minute, whether it is over or not. */
  close(): void {
    for (const [name, queue] of this.#queues) queue.sweep(this.#wall_ms, this.#tally(name));
    const minute = new Date(this.#minute * MINUTE_MS).toISOString().replace(":00.000Z", "Z");
    for (const [queue, tally] of this.#tallies)
      if (somethingHappened(tally)) this.#row({ minute, queue, ...tally });
    this.#tallies.clear();
  }

  #queue(name: string, fact: Fact): void {
    const queue = this.#queues.get(name);
    if (queue !== undefined) queue.apply(fact, this.#tally(name));
    else if (fact.kind.case === "queueConfigured" && fact.kind.value.revision === 1)
      this.#queues.set(name, new QueueReport(fact.kind.value, fact.time_ms));
  }

  #tally(queue: string): Tally {
    const known = this.#tallies.get(queue);
    if (known !== undefined) return known;
    const tally = emptyTally();
    this.#tallies.set(queue, tally);
    return tally;
  }
}

function somethingHappened(tally: Tally): boolean {
  return Object.values(tally)
    .flat()
    .some((count) => count > 0);
}
