// Who watches which ticket. A watcher is woken at once when its ticket is admitted or ends, and when an operator
// changes the queue (its notice, or how long it will take); that others moved up is looked at in rounds, because it
// changes for everybody with every admission.

import type { Change, Fold } from "@usher/queue";

/** Between two looks at everybody's place, in ms: often enough to look live. */
const ROUND_MS = 200;

/** A place near the front is told whenever it changes; one further back when it has moved by a hundredth. */
const NEAR = 100;
const FAR_PART = 0.01;

/** The longest that a stream is silent, in ms; proxies cut what is silent for longer. */
export const SILENCE_MS = 14_000;

/** Watchers of a node at most; one more is refused. */
export const WATCHERS_MAX = 20_000;

interface Watcher {
  readonly queue: string;
  readonly number: number;
  /** The position that was told last; -1: none. */
  told: number;
  wake: () => void;
}

export class Places {
  readonly #fold: Fold;
  readonly #watchers = new Map<string, Map<number, Set<Watcher>>>();
  /** The revision that was told last of each queue that is watched. */
  readonly #revisions = new Map<string, number>();
  #count = 0;
  #round: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #silence_ms: number;

  constructor(fold: Fold, silence_ms: number = SILENCE_MS) {
    this.#fold = fold;
    this.#silence_ms = silence_ms;
  }

  get watchers(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= WATCHERS_MAX;
  }

  /** Yields now, and then whenever the ticket's place is worth telling anew, at the latest after `silence_ms`. Ends
   * when the signal aborts. What is slow to ask for the next misses what lay between, and nothing piles up. */
  async *watch(queue: string, number: number, signal: AbortSignal): AsyncGenerator<void> {
    const watcher: Watcher = { queue, number, told: -1, wake: () => {} };
    this.#add(watcher);
    const onAbort = () => watcher.wake();
    signal.addEventListener("abort", onAbort);
    try {
      let due = true;
      while (!signal.aborted && !this.#closed) {
        if (!due) await this.#sleep(watcher);
        if (signal.aborted) return;
        due = false;
        watcher.told = this.#position(watcher);
        const woken = this.#wakes(watcher);
        yield;
        due = woken();
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#remove(watcher);
    }
  }

  /** After every batch of records. */
  batch(changes: readonly Change[]): void {
    for (const { queue, number, kind } of changes) {
      if (kind === "forgotten") continue;
      const watchers = this.#watchers.get(queue)?.get(number);
      if (watchers !== undefined) for (const watcher of watchers) watcher.wake();
    }
    for (const queue of this.#watchers.keys()) this.#lookAtSettings(queue);
    if (this.#count > 0) this.#round ??= setTimeout(() => this.#look(), ROUND_MS);
  }

  /** Wakes everybody: what has changed concerns all. */
  wakeAll(): void {
    for (const watcher of this.#all()) watcher.wake();
  }

  /** Wakes everybody, for the last time. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#round);
    this.wakeAll();
  }

  #lookAtSettings(queue: string): void {
    const revision = this.#fold.queue(queue)?.revision ?? 0;
    if (this.#revisions.get(queue) === revision) return;
    this.#revisions.set(queue, revision);
    for (const watchers of this.#watchers.get(queue)?.values() ?? [])
      for (const watcher of watchers) watcher.wake();
  }

  #look(): void {
    this.#round = undefined;
    for (const watcher of this.#all()) {
      const position = this.#position(watcher);
      if (worthTelling(watcher.told, position)) watcher.wake();
    }
  }

  #position(watcher: Watcher): number {
    return this.#fold.queue(watcher.queue)?.position(watcher.number) ?? -1;
  }

  /** Notes whether the watcher is woken while it does not sleep. */
  #wakes(watcher: Watcher): () => boolean {
    let woken = false;
    watcher.wake = () => {
      woken = true;
    };
    return () => woken;
  }

  #sleep(watcher: Watcher): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#silence_ms);
      watcher.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  *#all(): Iterable<Watcher> {
    for (const byNumber of this.#watchers.values()) {
      for (const watchers of byNumber.values()) yield* watchers;
    }
  }

  #add(watcher: Watcher): void {
    const byNumber = this.#watchers.get(watcher.queue) ?? new Map<number, Set<Watcher>>();
    const watchers = byNumber.get(watcher.number) ?? new Set();
    if (byNumber.size === 0)
      this.#revisions.set(watcher.queue, this.#fold.queue(watcher.queue)?.revision ?? 0);
    this.#watchers.set(watcher.queue, byNumber.set(watcher.number, watchers.add(watcher)));
    this.#count++;
  }

  #remove(watcher: Watcher): void {
    const byNumber = this.#watchers.get(watcher.queue);
    const watchers = byNumber?.get(watcher.number);
    if (!watchers?.delete(watcher)) return;
    this.#count--;
    if (watchers.size === 0) byNumber?.delete(watcher.number);
    if (byNumber?.size !== 0) return;
    this.#watchers.delete(watcher.queue);
    this.#revisions.delete(watcher.queue);
  }
}

function worthTelling(told: number, now: number): boolean {
  if (told === now) return false;
  return now <= NEAR || told < 0 || Math.abs(told - now) >= told * FAR_PART;
}
