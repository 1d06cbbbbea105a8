// What time it is to a client, and what wakes it: the machine's clock, or the one that a test moves (testing/).

export interface Clock {
  /** In milliseconds; never falls. Only differences mean anything. */
  now_ms(): number;
  /** Calls once, after so many milliseconds, unless what it returns is called before. */
  after(ms: number, wake: () => void): () => void;
}

export const REAL_CLOCK: Clock = {
  now_ms: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};
