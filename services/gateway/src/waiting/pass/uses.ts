// What lives on passes: requests that were let in and are under way, their answers for as long as they go on, and
// connections that went on in another protocol. Each is a use of its pass, from its beginning to its end, and is broken
// off when its ticket has ended. All of a queue's are looked at together, so a short answer costs an entry in a set.
//
//   begin ──▶ under way ──answering──▶ answering ──(the ticket has ended, at two looks)──▶ broken off
//                 └────────────────────────┴──────────────────over────────────────────▶ over

import type { Place, Replica } from "@usher/replica";
import { used } from "./sessions.ts";

/** How often the tickets are looked at, in ms; 500. What goes on at two looks after its ticket's end is broken off: so it
 * lasts a second at most, and the answer in which the ticket was ended, which most services give at once, has half of one
 * to be passed on whole. A look is two lookups in maps for each request; the door bounds these (`requests`). */
const LOOK_MS = 500;

/** A request that a pass let in. */
export class Use {
  readonly number: number;
  readonly epoch: string;
  readonly #uses: Set<Use>;
  #breakOff: (() => void) | undefined;
  #isLate = false;

  constructor(uses: Set<Use>, { number, epoch }: Pick<Use, "number" | "epoch">) {
    this.number = number;
    this.epoch = epoch;
    this.#uses = uses.add(this);
  }

  /** The service has begun to answer, and `breakOff` would end that. What has no answer yet is let be: it was sent
   * while the ticket was good, and has the route's `timeout` at most. */
  answering(breakOff: () => void): void {
    this.#breakOff = breakOff;
  }

  /** To be called once, whatever became of the request. */
  over(): void {
    this.#uses.delete(this);
  }

  /** At a look: the ticket has ended. */
  late(): void {
    if (this.#isLate) this.#breakOff?.();
    this.#isLate = this.#breakOff !== undefined;
  }
}

/** Those of one queue. */
export class Uses {
  readonly #replica: Replica;
  readonly #queue: string;
  readonly #uses = new Set<Use>();
  #looking: NodeJS.Timeout | undefined;

  constructor(replica: Replica, queue: string) {
    this.#replica = replica;
    this.#queue = queue;
  }

  begin({ view: { number } }: Place): Use {
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return new Use(this.#uses, { number, epoch: this.#replica.epoch() });
  }

  #look(): void {
    if (this.#uses.size === 0) {
      clearInterval(this.#looking);
      this.#looking = undefined;
      return;
    }
    const { fold, asOf } = this.#replica;
    const [queue, epoch] = [fold.queue(this.#queue), this.#replica.epoch()];
    for (const use of this.#uses) {
      const view = use.epoch === epoch ? queue?.ticket(use.number) : undefined;
      if (queue !== undefined && view?.state === "admitted") used(this.#replica, { queue, view, asOf });
      else use.late();
    }
  }
}
