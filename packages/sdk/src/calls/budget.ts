// How much of what a client sends may be retries: a token bucket, as in gRPC's retry throttling (gRFC A6), so that a
// server that fails for everybody is not asked many times over by everybody.

/** How many retries may be made before any call has succeeded, and the most that can be saved up; 10. */
const TOKENS_MAX = 10;

/** What a call that succeeds earns; 0.1: one retry for ten calls. */
const EARNED = 0.1;

export class RetryBudget {
  #tokens = TOKENS_MAX;

  /** A call has succeeded. */
  earn(): void {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + EARNED);
  }

  /** Whether one more retry may be made at the usual pace; takes it. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
