/** The two clocks of a node. Only the monotonic one decides anything; simulations give their own. */
export interface Clock {
  /** Monotonic milliseconds, with fractions, from any origin. */
  monotonic_ms(): number;
  /** The wall clock, in whole milliseconds since 1970: for display. */
  wall_ms(): number;
}

export const systemClock: Clock = {
  monotonic_ms: () => performance.now(),
  wall_ms: () => Date.now(),
};
