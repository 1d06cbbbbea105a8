// The follower that the checks use: keeps what it gets, and can be waited for.

import type { Follower, Following, LogError, Offset, StoredEntry, TicketLog } from "../../src/log.ts";
import type { HarnessStore } from "./harness.ts";

type Patience = Pick<HarnessStore, "patience_ms">;

const PATIENCE_MS = 20_000;

export class Reader implements Follower {
  readonly got: StoredEntry[] = [];
  /** How far it has got. */
  next: Offset;
  failure: LogError | undefined;
  readonly following: Following;
  readonly #patience_ms: number;
  #changed: () => void = () => {};

  constructor(store: Patience, log: TicketLog, from: Offset = 0) {
    this.#patience_ms = store.patience_ms ?? PATIENCE_MS;
    this.next = from;
    this.following = log.follow(from, this);
  }

  entries(batch: readonly StoredEntry[], next: Offset): void {
    this.got.push(...batch);
    this.next = next;
    this.#changed();
  }

  failed(error: LogError): void {
    this.failure = error;
    this.#changed();
  }

  /** Waits until it has read all below an offset. */
  async reaches(end: Offset): Promise<void> {
    await this.until(() => end === 0 || (this.got.at(-1)?.offset ?? -1) >= end - 1, `all below ${end}`);
  }

  async has(count: number): Promise<void> {
    await this.until(() => this.got.length >= count, `${count} entries`);
  }

  /** Waits until `holds`, which only what arrives can bring about. Rejects when the log fails, or nothing comes. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const lost = () => reject(new Error(`waited for ${what}, but have ${this.got.length} entries`));
    const timer = setTimeout(lost, this.#patience_ms);
    this.#changed = () => {
      if (holds()) resolve();
      else if (this.failure) reject(this.failure);
    };
    this.#changed();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#changed = () => {};
    }
  }
}

/** Everything that is in the log now. */
export async function readAll(store: Patience, log: TicketLog): Promise<readonly StoredEntry[]> {
  const reader = new Reader(store, log);
  await reader.reaches(await log.end());
  reader.following.close();
  return reader.got;
}
