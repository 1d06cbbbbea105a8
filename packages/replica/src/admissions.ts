// The pull consumer's view: who was admitted and has no stored request, in the order of admission. The cursor is that
// order; whoever brings it back gets all later ones that are still active, so each is told at least once.

import type { Active, Queue, TicketView } from "@usher/queue";
import { SILENCE_MS } from "./places.ts";
import type { Replica } from "./replica.ts";
import { UsherError } from "./rpc/errors.ts";

/** Streams of admissions of a node at most: they are for backends. */
export const ADMISSION_STREAMS_MAX = 1_000;

/** How many are looked up at a time: each time, all active tickets before them are gone through. */
const LOOK_AHEAD = 1_000;

export class Admissions {
  readonly #replica: Replica;
  #streams = 0;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Yields every admission after the cursor, and undefined where there is none to tell: at once, so that the stream
   * is seen to be open, and whenever it would be silent for too long. Ends when the signal aborts or this node shuts
   * down. */
  async *watch(queue: Queue, cursor: number, signal: AbortSignal): AsyncGenerator<TicketView | undefined> {
    if (this.#streams >= ADMISSION_STREAMS_MAX)
      throw new UsherError("OVERLOADED", "This node holds as many streams as it may.");
    this.#streams++;
    const { clock, draining } = this.#replica;
    const either = AbortSignal.any([signal, draining]);
    const news = new News(this.#replica, queue.name, either);
    let told = cursor;
    let silentFrom_ms = Number.NEGATIVE_INFINITY;
    try {
      while (!either.aborted) {
        const later = admissionsAfter(queue, told);
        for (const { number, admission } of later) {
          told = admission;
          const view = queue.ticket(number);
          // It may have ended while those before it were told.
          if (view?.state !== "admitted") continue;
          yield view;
          if (either.aborted) return;
          silentFrom_ms = clock.monotonic_ms();
        }
        if (later.length > 0) continue;
        const left_ms = silentFrom_ms + SILENCE_MS - clock.monotonic_ms();
        if (left_ms <= 0) {
          yield undefined;
          silentFrom_ms = clock.monotonic_ms();
        } else {
          await news.within(left_ms);
        }
      }
    } finally {
      news.close();
      this.#streams--;
    }
  }
}

/** The next admissions after this one whose tickets are active and have no stored request. */
function admissionsAfter(queue: Queue, after: number): Pick<Active, "number" | "admission">[] {
  const later: Pick<Active, "number" | "admission">[] = [];
  if (queue.admissions <= after) return later;
  for (const { number, admission, stored } of queue.activeTickets()) {
    if (admission <= after || stored) continue;
    later.push({ number, admission });
    if (later.length === LOOK_AHEAD) break;
  }
  return later;
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

  /** Resolves on news, or when there are none within the time, or when the signal aborts. */
  async within(ms: number): Promise<void> {
    if (!this.#fresh && !this.#signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
        this.#wake = resolve;
      });
      clearTimeout(timer);
    }
    this.#fresh = false;
  }

  close(): void {
    this.#stop();
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}
