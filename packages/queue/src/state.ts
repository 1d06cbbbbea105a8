// What a queue holds, shared by the parts that change it, and the steps of a ticket's life that more than one of them
// takes: it ends, it is forgotten, and whoever watches is told.

import { ActiveTickets } from "./active.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import type { Part } from "./description.ts";
import type { Change, ChangeKind } from "./outcome.ts";
import { Remembered } from "./remembered.ts";
import type { Settings } from "./settings.ts";
import { type EndStage, Tickets } from "./tickets.ts";

/** Beside two for each active ticket, how many deadlines are kept before stale ones are looked for. */
const DEADLINES_SPARE = 1_024;

export class QueueState {
  readonly name: string;
  settings: Settings;
  readonly tickets = new Tickets();
  readonly active = new ActiveTickets();
  readonly #deadlines = new Deadlines();
  readonly #remembered = new Remembered();
  readonly #emit: (change: Change) => void;
  #now_ms: number;
  #waited_ms = 0;

  constructor(name: string, settings: Settings, now_ms: number, emit: (change: Change) => void) {
    this.name = name;
    this.settings = settings;
    this.#now_ms = now_ms;
    this.#emit = emit;
  }

  /** Log time, in ms. */
  get now_ms(): number {
    return this.#now_ms;
  }

  /** The part of it during which the queue was not paused: what counts as waiting. */
  get waited_ms(): number {
    return this.#waited_ms;
  }

  /** Ended and not forgotten. */
  get remembered(): number {
    return this.#remembered.size;
  }

  get deadlines(): number {
    return this.#deadlines.size;
  }

  /** Whether one more may be active. */
  get hasRoom(): boolean {
    return this.settings.max_active === 0 || this.active.size < this.settings.max_active;
  }

  /** Log time has come to this; tells how much passed. */
  pass(now_ms: number): number {
    const elapsed_ms = now_ms - this.#now_ms;
    this.#now_ms = now_ms;
    if (this.settings.mode !== "paused") this.#waited_ms += elapsed_ms;
    return elapsed_ms;
  }

  end(number: number, stage: EndStage, wall_ms: number): void {
    this.tickets.end(number, stage, wall_ms);
    this.active.delete(number);
    this.#remembered.add(number, this.#now_ms);
    this.tell("ended", number);
  }

  /** Takes a ticket up again that has ended, as an admitted one; it is remembered anew from its next end on. */
  resume(number: number): void {
    const { admission, attempt } = this.tickets.afterwards(number);
    this.tickets.resume(number);
    this.#remembered.withdraw(number);
    this.active.add({
      number,
      admission,
      admitted_ms: this.#now_ms,
      since_ms: this.#waited_ms,
      stored: this.tickets.hasRequest(number),
      spent: attempt,
    });
    this.tell("admitted", number);
  }

  /** Forgets the tickets that ended no later than this. */
  forget(by_ms: number): void {
    for (let number = this.#remembered.next(by_ms); number !== 0; number = this.#remembered.next(by_ms)) {
      const origin = this.tickets.origin(number);
      this.tickets.forget(number);
      this.#emit({ kind: "forgotten", queue: this.name, number, origin });
    }
  }

  await(deadline: Deadline): void {
    this.#deadlines.push(deadline);
    if (this.#deadlines.size <= 2 * this.active.size + DEADLINES_SPARE) return;
    this.#deadlines.prune((entry) => this.#isAwaited(entry));
  }

  /** Takes the earliest deadline that has come and is still awaited, if any. */
  nextDue(): Deadline | undefined {
    for (;;) {
      const due = this.#deadlines.pop(this.#now_ms);
      if (due === undefined || this.#isAwaited(due)) return due;
    }
  }

  tell(kind: ChangeKind, number: number): void {
    this.#emit({ kind, queue: this.name, number });
  }

  /** Who is in a slot, what they await, and who is remembered. */
  *describe(): Iterable<Part> {
    for (const { number, claim, session, ...fields } of this.active.values()) {
      const { session: claimedBy, lapses_ms, idempotent } = claim ?? {};
      const { started_ms, length_ms, extensions, ends_ms } = session ?? {};
      yield {
        kind: "active",
        id: number,
        fields: {
          ...fields,
          ...{ claimedBy, lapses_ms, idempotent },
          ...{ started_ms, length_ms, extensions, ends_ms },
        },
      };
    }
    for (const { number, at_ms, due } of this.#deadlines.sorted((entry) => this.#isAwaited(entry))) {
      yield { kind: "deadline", id: number, fields: { at_ms, due } };
    }
    for (const { number, ended_ms } of this.#remembered.entries()) {
      yield { kind: "ended", id: number, fields: { ended_ms } };
    }
  }

  /** Whether the ticket has not ended, its session not been extended, and the claim not been given back, before. */
  #isAwaited({ number, due, attempt }: Deadline): boolean {
    const active = this.active.get(number);
    if (active === undefined) return false;
    if (due === "session") return active.session?.extensions === attempt;
    return active.claim !== undefined && active.attempt === attempt;
  }
}
