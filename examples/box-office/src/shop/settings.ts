// What a shop is set to.

/** Doors that a shop has at most; 8, and so many nodes a burst may have. */
export const DOORS_MAX = 8;

export interface ShopSettings {
  /** Seats for sale, numbered from 1. 20,000: enough for everybody in the burst. */
  readonly seats: number;
  /** Purchases worked on at a time. 40. */
  readonly workers: number;
  /** How long a worker takes for a purchase on average, in milliseconds, while nobody waits. 200; with 40 workers,
   * 200 purchases a second. */
  readonly work_ms: number;
  /** How far, as a part of `work_ms`, a single purchase is quicker or slower than the average. 0.25. */
  readonly jitter: number;
  /** How much slower every purchase gets for each further `workers` in flight. 0.1: with 1,000 waiting for 40
   * workers, each takes three and a half times as long. This is what lets a crowd bring a shop down: what waits
   * holds memory, connections and locks that those at work need. */
  readonly contention: number;
  /** Purchases that may wait for a worker; one more is answered 503. 1,000. */
  readonly waiting_max: number;
  /** How long a purchase waits for a worker, in milliseconds, until it is answered 504. 5,000. */
  readonly patience_ms: number;
  /** Whether the same `Idempotency-Key` gets the same purchase again, or buys again. False. */
  readonly idempotent: boolean;
  /** For the jitter. 1. */
  readonly seed: number;
}

export const shopDefaults: ShopSettings = {
  seats: 20_000,
  workers: 40,
  work_ms: 200,
  jitter: 0.25,
  contention: 0.1,
  waiting_max: 1_000,
  patience_ms: 5_000,
  idempotent: false,
  seed: 1,
};
