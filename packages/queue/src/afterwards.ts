// What is known of a segment's tickets once they no longer wait: in rows that are made as tickets get there, since
// people leave from all over a line, and one of them must not cost as much as a thousand.

const ROWS_MIN = 8;

/** What a row holds; all 0 before. */
export interface Afterwards {
  /** By the wall clocks of who wrote the records, in ms since 1970. */
  readonly admittedWall_ms: number;
  readonly endedWall_ms: number;
  /** The order of admission in the queue, from 1; 0: not admitted. */
  readonly admission: number;
  /** The service's HTTP status; 0: none. */
  readonly status: number;
  /** Claims so far; for an answered request, the one that was answered. */
  readonly attempt: number;
}

/** What is known of a ticket that waits. */
export const NOTHING: Afterwards = {
  admittedWall_ms: 0,
  endedWall_ms: 0,
  admission: 0,
  status: 0,
  attempt: 0,
};
const TIMES = 2;
const COUNTS = 3;

export class AfterwardsRows {
  /** By slot: the row, from 1; 0: none yet. */
  readonly #rows: Uint16Array;
  #size = 0;
  /** A row's times: of admission, of end. */
  #times = new Float64Array(ROWS_MIN * TIMES);
  /** A row's counts: admission, status, attempt. */
  #counts = new Uint32Array(ROWS_MIN * COUNTS);

  constructor(slots: number) {
    this.#rows = new Uint16Array(slots);
  }

  get(slot: number): Afterwards {
    const row = this.#rows[slot]! - 1;
    if (row < 0) return NOTHING;
    return {
      admittedWall_ms: this.#times[row * TIMES]!,
      endedWall_ms: this.#times[row * TIMES + 1]!,
      admission: this.#counts[row * COUNTS]!,
      status: this.#counts[row * COUNTS + 1]!,
      attempt: this.#counts[row * COUNTS + 2]!,
    };
  }

  set(slot: number, values: Partial<Afterwards>): void {
    const row = this.#row(slot);
    const { admittedWall_ms, endedWall_ms, admission, status, attempt } = values;
    if (admittedWall_ms !== undefined) this.#times[row * TIMES] = admittedWall_ms;
    if (endedWall_ms !== undefined) this.#times[row * TIMES + 1] = endedWall_ms;
    if (admission !== undefined) this.#counts[row * COUNTS] = admission;
    if (status !== undefined) this.#counts[row * COUNTS + 1] = status;
    if (attempt !== undefined) this.#counts[row * COUNTS + 2] = attempt;
  }

  #row(slot: number): number {
    if (this.#rows[slot] === 0) {
      if (this.#size * TIMES === this.#times.length) this.#grow();
      this.#rows[slot] = ++this.#size;
    }
    return this.#rows[slot]! - 1;
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    const counts = new Uint32Array(this.#counts.length * 2);
    times.set(this.#times);
    counts.set(this.#counts);
    this.#times = times;
    this.#counts = counts;
  }
}
