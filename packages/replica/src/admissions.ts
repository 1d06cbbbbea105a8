// The pull consumer's view: who was admitted and has no stored request, in the order of admission. The cursor is that
// order; whoever brings it back gets all later ones that are still active, so each is told at least once.

import type { Queue, TicketView } from "@usher/queue";
import { SILENCE_MS } from "./places.ts";
import type { Replica } from "./replica.ts";
import { UsherError } from "./rpc/errors.ts";

/** Streams of admissions of a node at most: they are for backends. */
const STREAMS_MAX = 1_000;

export class Admissions {
  readonly #replica: Replica;
  #streams = 0;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Yields every admission after the cursor, and undefined where nothing has happened for a while. Ends when the
   * signal aborts or this node shuts down. */
  async *watch(queue: Queue, cursor: number, signal: AbortSignal): AsyncGenerator<TicketView | undefined> {
    if (this.#streams >= STREAMS_MAX)
      throw new UsherError("OVERLOADED", "This node holds as many streams as it may.");
    this.#streams++;
    const either = AbortSignal.any([signal, this.#replica.draining]);
    const news = new News(this.#replica, queue.name, either);
    let told = cursor;
    try {
      while (!either.aborted) {
        const view = nextAdmission(queue, told);
        if (view !== undefined) {
          told = view.admission ?? told;
          yield view;
        } else if (!(await news.within(SILENCE_MS)) && !either.aborted) {
          yield undefined;
        }
      }
    } finally {
      news.close();
      this.#streams--;
    }
  }
}

/** The first admission after this one whose ticket is active and has no stored request. */
function nextAdmission(queue: Queue, after: number): TicketView | undefined {
  if (queue.admissions <= after) return undefined;
  for (const active of queue.activeTickets()) {
    if (active.admission > after && !active.stored) return queue.ticket(active.number);
  }
  return undefined;
}

/** Remembers whether anybody was admitted since it was last asked. */
class News {
  readonly #stop: () => void;
  readonly #signal: AbortSignal;
  #fresh = false;
  #wake: () => void = () => {};
  readonly #onAbort = () => this.#wake();

  constructor(replica: Replica, queue: string, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
    this.#stop = replica.onBatch((changes) => {
      if (!changes.some((change) => change.kind === "admitted" && change.queue === queue)) return;
      this.#fresh = true;
      this.#wake();
    });
  }

  /** Resolves with true on news, with false when there are none within the time, or the signal aborts. */
  async within(ms: number): Promise<boolean> {
    if (!this.#fresh && !this.#signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
        this.#wake = resolve;
      });
      clearTimeout(timer);
    }
    const fresh = this.#fresh;
    this.#fresh = false;
    return fresh;
  }

  close(): void {
    this.#stop();
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}
