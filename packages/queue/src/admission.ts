// Whose turn comes, and when: by the budget and the room, or by a backend's word (Admit), which the budget does not
// hold back.

import { AdmitRequests, REQUEST_ID_LENGTH } from "./admit-requests.ts";
import { Budget } from "./budget.ts";
import type { Part } from "./description.ts";
import type { Measured } from "./estimate.ts";
import { ignored, type Outcome, refused } from "./outcome.ts";
import { Pace } from "./pace.ts";
import type { AdmitRequested } from "./record.ts";
import type { Settings } from "./settings.ts";
import type { QueueState } from "./state.ts";
import type { TicketSessions } from "./ticket-sessions.ts";

/** The most that one Admit may ask for. */
export const ADMIT_MAX = 10_000;

export class Admission {
  readonly #state: QueueState;
  readonly #sessions: TicketSessions;
  readonly #budget: Budget;
  readonly #pace = new Pace();
  readonly #requests = new AdmitRequests();
  #admissions = 0;
  #nowServing = 0;
  /** The next tick is the first since somebody began to wait. */
  #firstTick = false;

  constructor(state: QueueState, sessions: TicketSessions) {
    this.#state = state;
    this.#sessions = sessions;
    this.#budget = new Budget(state.settings.rate_thousandths);
  }

  /** So far. */
  get admissions(): number {
    return this.#admissions;
  }

  /** The highest number admitted. */
  get nowServing(): number {
    return this.#nowServing;
  }

  /** Request ids of Admit that are remembered. */
  get requests(): number {
    return this.#requests.size;
  }

  /** What it would take to go on from here, beside the request ids. */
  get fields() {
    return {
      nowServing: this.#nowServing,
      admissions: this.#admissions,
      budget_millionths: this.#budget.millionths,
      budgetRate_thousandths: this.#budget.rate_thousandths,
      firstTick: this.#firstTick,
      paceSince_ms: this.#pace.since_ms,
      pace: this.#pace.counted(this.#state.now_ms),
    };
  }

  *describe(): Iterable<Part> {
    for (const [id, { who, numbers, at_ms }] of this.#requests.entries()) {
      const count = "count" in who ? who.count : undefined;
      const number = "number" in who ? who.number : undefined;
      yield { kind: "admit", id, fields: { count, number, numbers, at_ms } };
    }
  }

  get budget_millionths(): number {
    return this.#budget.millionths;
  }

  get measured(): Measured | undefined {
    return this.#pace.measured(this.#state.now_ms);
  }

  /** Whether a newcomer would be admitted at once. */
  get open(): boolean {
    const { settings, tickets, hasRoom } = this.#state;
    return settings.mode !== "paused" && tickets.waiting === 0 && hasRoom && this.#budget.tickets >= 1;
  }

  /** Admits from the front while the budget has one, there is room, and somebody waits. */
  admit(wall_ms: number): void {
    const { settings, tickets } = this.#state;
    if (settings.mode === "paused") return;
    while (tickets.waiting > 0 && this.#state.hasRoom && this.#budget.tickets >= 1) {
      this.#budget.spend();
      this.#admitTicket(tickets.front(), wall_ms);
    }
  }

  /** A backend's word: so many from the front, or one, beyond the rate but within the room. */
  request({ request_id, who }: AdmitRequested, wall_ms: number): Outcome {
    if (request_id.length !== REQUEST_ID_LENGTH) return ignored("impossible");
    const known = this.#requests.get(request_id);
    if (known !== undefined) {
      if (!AdmitRequests.same(known.who, who)) return refused("key_reused");
      return { kind: "admitted", numbers: known.numbers };
    }
    if ("count" in who && !(who.count >= 1 && who.count <= ADMIT_MAX)) return ignored("impossible");
    if (this.#requests.full) return refused("full");
    const { tickets, now_ms } = this.#state;
    if ("number" in who && tickets.stage(who.number) === "absent") return refused("unknown_ticket");
    const numbers =
      "count" in who ? this.#admitFront(who.count, wall_ms) : this.#admitOne(who.number, wall_ms);
    this.#requests.add(request_id, { who, numbers, at_ms: now_ms });
    return { kind: "admitted", numbers };
  }

  /** Forgets the request ids that came no later than this. */
  forget(by_ms: number): void {
    this.#requests.forget(by_ms);
  }

  /** Tells that somebody begins to wait. While nobody waits, the fast path of a `defer` queue spends the limit, so its
   * budget here starts from nothing. */
  beginToWait(): void {
    this.#pace.begin(this.#state.now_ms);
    if (this.#state.settings.kind !== "defer") return;
    this.#budget.empty();
    this.#firstTick = true;
  }

  refill(elapsed_ms: number): void {
    const { settings, tickets } = this.#state;
    const unspent = settings.kind === "defer" && tickets.waiting === 0;
    if (!this.#firstTick && !unspent) this.#budget.refill(elapsed_ms);
    this.#firstTick = false;
  }

  /** The settings have changed. What was measured under another limit, or in a pause, says nothing of the pace. */
  configure(former: Settings): void {
    const { settings, now_ms } = this.#state;
    this.#budget.configure(settings.rate_thousandths);
    const isSame =
      settings.rate_thousandths === former.rate_thousandths &&
      settings.max_active === former.max_active &&
      (settings.mode === "paused") === (former.mode === "paused");
    if (!isSame) this.#pace.begin(now_ms);
  }

  emptyBudget(): void {
    this.#budget.empty();
  }

  #admitFront(count: number, wall_ms: number): number[] {
    const { tickets } = this.#state;
    const numbers: number[] = [];
    while (numbers.length < count && this.#state.hasRoom && tickets.waiting > 0) {
      const number = tickets.front();
      this.#admitTicket(number, wall_ms);
      numbers.push(number);
    }
    return numbers;
  }

  #admitOne(number: number, wall_ms: number): number[] {
    if (this.#state.tickets.stage(number) !== "waiting" || !this.#state.hasRoom) return [];
    this.#admitTicket(number, wall_ms);
    return [number];
  }

  #admitTicket(number: number, wall_ms: number): void {
    const { tickets, now_ms } = this.#state;
    const stored = tickets.hasRequest(number);
    this.#admissions++;
    tickets.admit(number, this.#admissions, wall_ms);
    const active = this.#state.active.add({
      number,
      admission: this.#admissions,
      admitted_ms: now_ms,
      since_ms: tickets.issued_ms(number),
      stored,
      spent: 0,
    });
    this.#nowServing = Math.max(this.#nowServing, number);
    this.#pace.admitted(now_ms);
    if (!stored) this.#sessions.begin(active, wall_ms);
    this.#state.tell("admitted", number);
  }
}
