// Writes entries in batches: while one is on its way, the next gathers. One batch at a time, so that the order of the
// log is the order of the calls, whatever has to be sent again.

import { LogError, type Offset } from "../log.ts";
import type { Operation } from "../operation.ts";
import { Turns } from "../turns.ts";
import type { Line } from "./line.ts";
import type { KafkaTimings } from "./options.ts";
import type { Producer } from "./producer.ts";
import { messageOf, RECORD_OVERHEAD_BYTES } from "./records.ts";

interface Ready {
  readonly operation: Operation;
  readonly line: Line;
  readonly urgent: boolean;
  readonly bytes: number;
}

export interface CommitsOptions {
  readonly producer: Producer;
  readonly timings: KafkaTimings;
  /** Told before each operation's own end. */
  readonly ended: (operation: Operation, error?: LogError) => void;
}

export class Commits {
  readonly #options: CommitsOptions;
  readonly #turns = new Turns<Ready>();
  #writing = false;
  #scheduled = false;
  #end: Offset = 0;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** The offset that follows the last entry that this process wrote, as far as it knows. */
  get end(): Offset {
    return this.#end;
  }

  add(operation: Operation, line: Line): void {
    const bytes = entryBytes(operation);
    this.#turns.add({ operation, line, urgent: operation.urgent, bytes });
    // Not at once: what else the same turn of the event loop brings goes into the same batch.
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  async #write(): Promise<void> {
    if (this.#writing || !this.#turns.waiting) return;
    this.#writing = true;
    while (this.#turns.waiting) {
      const batch = this.#turns.take();
      const messages = batch.flatMap(({ operation: { entry } }) => (entry ? [messageOf(entry)] : []));
      try {
        const first = await this.#options.producer.send(messages);
        this.#end = Math.max(this.#end, first + messages.length);
        for (const { operation } of batch) this.#options.ended(operation);
      } catch (caught) {
        const error = LogError.from(caught);
        // Its limit may have been lowered since the start; who is small is not to blame.
        if (error.code === "too_large" && this.#turns.split(batch)) continue;
        this.#failed(batch, error);
      }
    }
    this.#writing = false;
  }

  #failed(batch: readonly Ready[], error: LogError): void {
    for (const { operation } of batch) this.#options.ended(operation, error);
    // Their writers take nothing more: what they have given already must not overtake what may be in the log.
    if (error.outcome === "unknown") {
      const lost = new Set(batch.map(({ line }) => line));
      const refusal = new LogError("unavailable", "an append of this writer was lost: open another");
      for (const { operation } of this.#turns.remove(({ line }) => lost.has(line)))
        this.#options.ended(operation, refusal);
      for (const line of lost) line.refuse(refusal);
    }
    // What has waited as long as this batch was tried has had its time.
    const since_ms = performance.now() - this.#options.timings.retry_ms;
    const late = new LogError(error.code, error.message, { cause: error });
    for (const { operation } of this.#turns.remove(({ operation }) => operation.accepted_ms < since_ms))
      this.#options.ended(operation, late);
  }
}

function entryBytes({ entry }: Operation): number {
  if (entry === undefined) return 0;
  const { key, value, headers = {} } = entry;
  let bytes = Buffer.byteLength(key) + value.byteLength + RECORD_OVERHEAD_BYTES;
  for (const [name, text] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text) + 8;
  return bytes;
}
