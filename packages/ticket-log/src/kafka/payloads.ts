// Writes payloads, in parts, to their own topic: in batches, one at a time, beside those of the entries.

import type { Message } from "kafkajs";
import { LogError, type Offset, type Payload, type PayloadKey } from "../log.ts";
import { Turns } from "../turns.ts";
import type { KafkaTimings } from "./options.ts";
import type { Producer } from "./producer.ts";
import { messagesOf, RECORD_OVERHEAD_BYTES } from "./records.ts";

interface Part {
  readonly message: Message;
  readonly put: Put;
  readonly urgent: false;
  readonly bytes: number;
}

interface Put {
  /** When it was accepted, by the monotonic clock. */
  readonly accepted_ms: number;
  /** Parts that are not durable yet. */
  left: number;
  readonly key: PayloadKey;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}

export interface PayloadWriterOptions {
  readonly producer: Producer;
  readonly timings: KafkaTimings;
  /** The wall clock, in milliseconds. */
  readonly now: () => number;
  /** Told when one is durable, before its caller: it ends before `end`. */
  readonly stored: (key: PayloadKey, end: Offset) => void;
}

export class PayloadWriter {
  readonly #options: PayloadWriterOptions;
  readonly #turns = new Turns<Part>();
  #writing = false;
  /** The last that was accepted; those before have ended when it has. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: PayloadWriterOptions) {
    this.#options = options;
  }

  /** Resolves when it is durable. Rejects with a `LogError`. */
  store(payload: Payload): Promise<void> {
    const messages = messagesOf(payload, this.#options.now());
    const stored = new Promise<void>((resolve, reject) => {
      const put: Put = {
        accepted_ms: performance.now(),
        left: messages.length,
        key: payload.key,
        resolve,
        reject,
      };
      for (const message of messages) {
        const bytes = (message.value?.length ?? 0) + RECORD_OVERHEAD_BYTES * 2;
        this.#turns.add({ message, put, urgent: false, bytes });
      }
    });
    this.#last = stored.catch(() => {});
    if (!this.#writing) {
      this.#writing = true;
      setImmediate(() => void this.#write());
    }
    return stored;
  }

  /** Resolves when all that was accepted has ended, in whatever way. */
  settled(): Promise<void> {
    return this.#last;
  }

  async #write(): Promise<void> {
    while (this.#turns.waiting) {
      const batch = this.#turns.take();
      try {
        const first = await this.#options.producer.send(batch.map(({ message }) => message));
        for (const { put } of batch) {
          if (--put.left > 0) continue;
          this.#options.stored(put.key, first + batch.length);
          put.resolve();
        }
      } catch (caught) {
        const error = LogError.from(caught);
        if (error.code === "too_large" && this.#turns.split(batch)) continue;
        this.#failed(batch, error);
      }
    }
    this.#writing = false;
  }

  #failed(batch: readonly Part[], error: LogError): void {
    const puts = new Set(batch.map(({ put }) => put));
    for (const put of puts) put.reject(error);
    this.#turns.remove(({ put }) => puts.has(put));
    // What has waited as long as this batch was tried has had its time.
    const since_ms = performance.now() - this.#options.timings.retry_ms;
    const late = new LogError(error.code, error.message, { cause: error });
    for (const { put } of this.#turns.remove(({ put }) => put.accepted_ms < since_ms)) put.reject(late);
  }
}
