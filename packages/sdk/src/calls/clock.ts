// What time it is to a client, and what wakes it: the machine's clock, or the one that a test moves (testing/).

export interface Clock {
  /** In milliseconds; never falls. Only differences mean anything. */
  now_ms(): number;
  /** Calls once, after so many milliseconds, unless what it returns is called before. */
  after(ms: number, wake: () => void): () => void;
  /** Work that takes real time, as a digest does: a clock that is moved stands still for so long. */
  during<A>(work: Promise<A>): Promise<A>;
}

/** The longest that a timer takes, in milliseconds: 25 days. Anything above would wake at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const REAL_CLOCK: Clock = {
  now_ms: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, Math.min(ms, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
  during: (work) => work,
};

/** Under this a `fetch` says by which clock those pause who use it: what answers it may have one of its own. The same
 * symbol in every copy of this package. */
const CLOCK = Symbol.for("@usher/sdk.clock");

/** The same function, marked with its clock. */
export function byClock<F extends object>(clock: Clock, marked: F): F {
  return Object.assign(marked, { [CLOCK]: clock });
}

/** The clock that a `fetch` goes by; the machine's, where it does not say. */
export function clockOf(marked: object | undefined): Clock {
  return (marked as { readonly [CLOCK]?: Clock } | undefined)?.[CLOCK] ?? REAL_CLOCK;
}
