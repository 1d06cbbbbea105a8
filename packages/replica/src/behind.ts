// Readers who have seen more elsewhere than this node has read: each waits for it, a while.

/** How long a reader waits for this node to have read as far, in ms. */
export const BEHIND_WAIT_MS = 1_000;

/** How many wait at most; the next is told at once that this node is behind. */
export const BEHIND_MAX = 10_000;

interface Waiter {
  readonly asOf: number;
  readonly tell: (reached: boolean) => void;
}

export class Behind {
  readonly #waiters = new Set<Waiter>();

  /** Resolves with true once the log has been read as far, with false when it has not within the time. */
  wait(asOf: number): Promise<boolean> {
    if (this.#waiters.size >= BEHIND_MAX) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        asOf,
        tell: (reached) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(reached);
        },
      };
      const timer = setTimeout(() => waiter.tell(false), BEHIND_WAIT_MS);
      this.#waiters.add(waiter);
    });
  }

  /** Tells how far the log has been read now. */
  read(next: number): void {
    for (const { asOf, tell } of this.#waiters) if (asOf <= next) tell(true);
  }

  /** Nothing more will be read. */
  close(): void {
    for (const { tell } of this.#waiters) tell(false);
  }
}
