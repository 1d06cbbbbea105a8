// How many of the requests that go to a service may be such that went before: a service in trouble gets its own share
// of new requests, and not its old ones over and over.
//
// The budget of Finagle (twitter.github.io/finagle, `RetryBudget`): over ten seconds, a fifth of what was sent, and a
// few in any case, so that a service with little to do is asked again as well. Here, whoever finds it spent waits in
// its slot: nothing is failed for want of it, but by `max_wait`.

/** What is looked back at, in ms; ten seconds. */
const WINDOW_MS = 10_000;

/** Of what was sent in the window for the first time, the part that may be sent again; a fifth. */
const PART = 0.2;

/** What may be sent again in a window in any case; ten, one a second. */
const LEAST = 10;

/** The window moves in steps, in ms; a second. */
const STEP_MS = 1_000;

interface Step {
  /** How many steps after the clock's beginning. */
  readonly at: number;
  sent: number;
  retried: number;
}

/** One service's, on one node. Every `now_ms` is of one monotonic clock. */
export class RetryBudget {
  /** The latest is last; as many as the window has, at most. */
  #steps: Step[] = [];

  /** A request was sent for the first time. */
  sent(now_ms: number): void {
    this.#step(now_ms).sent++;
  }

  /** A request was sent again. */
  retried(now_ms: number): void {
    this.#step(now_ms).retried++;
  }

  /** Whether one more may be sent again now. */
  allows(now_ms: number): boolean {
    this.#forget(now_ms);
    let sent = 0;
    let retried = 0;
    for (const step of this.#steps) {
      sent += step.sent;
      retried += step.retried;
    }
    return retried < Math.max(LEAST, Math.floor(sent * PART));
  }

  #step(now_ms: number): Step {
    this.#forget(now_ms);
    const at = Math.floor(now_ms / STEP_MS);
    const last = this.#steps.at(-1);
    // A clock that is read late counts into what is there.
    if (last !== undefined && last.at >= at) return last;
    const step = { at, sent: 0, retried: 0 };
    this.#steps.push(step);
    return step;
  }

  #forget(now_ms: number): void {
    const oldest = Math.floor(now_ms / STEP_MS) - WINDOW_MS / STEP_MS;
    this.#steps = this.#steps.filter(({ at }) => at > oldest);
  }
}

/** The budgets of the services that there are, by name: as many as the configuration has, and those that stored
 * requests of an earlier one name. */
export class RetryBudgets {
  readonly #byService = new Map<string, RetryBudget>();

  of(service: string): RetryBudget {
    let budget = this.#byService.get(service);
    if (budget === undefined) {
      budget = new RetryBudget();
      this.#byService.set(service, budget);
    }
    return budget;
  }
}
