// Ended tickets in the order of their end, until they are forgotten: a ring of numbers and times that grows and
// shrinks by halves. One that is taken up again leaves its entry in the ring, to be passed over: to take it out of the
// middle could move a million others.

const CAPACITY_MIN = 64;

export class Remembered {
  #numbers = new Uint32Array(CAPACITY_MIN);
  #ended_ms = new Float64Array(CAPACITY_MIN);
  #head = 0;
  /** Entries in the ring. */
  #length = 0;
  /** How many entries of a number no longer count: its earliest. */
  #withdrawn = new Map<number, number>();
  /** All of those. */
  #stale = 0;

  get size(): number {
    return this.#length - this.#stale;
  }

  add(number: number, ended_ms: number): void {
    const capacity = this.#numbers.length;
    // Without the stale ones it may do for a while.
    if (this.#length === capacity) this.#resize(this.size > capacity / 2 ? capacity * 2 : capacity);
    const at = (this.#head + this.#length) & (this.#numbers.length - 1);
    this.#numbers[at] = number;
    this.#ended_ms[at] = ended_ms;
    this.#length++;
  }

  /** Takes out one that is here, before its time. */
  withdraw(number: number): void {
    this.#withdrawn.set(number, (this.#withdrawn.get(number) ?? 0) + 1);
    this.#stale++;
  }

  /** Takes out the next one that ended no later than this; 0: none. */
  next(endedBy_ms: number): number {
    while (this.#length > 0 && this.#ended_ms[this.#head]! <= endedBy_ms) {
      const number = this.#numbers[this.#head]!;
      this.#head = (this.#head + 1) & (this.#numbers.length - 1);
      this.#length--;
      const counts = this.#stale === 0 || !passOver(this.#withdrawn, number);
      if (!counts) this.#stale--;
      const capacity = this.#numbers.length;
      if (capacity > CAPACITY_MIN && this.#length < capacity / 8) this.#resize(capacity / 2);
      if (counts) return number;
    }
    return 0;
  }

  /** Those that are here, in the order of their end. */
  *entries(): Iterable<{ number: number; ended_ms: number }> {
    const withdrawn = new Map(this.#withdrawn);
    for (let n = 0; n < this.#length; n++) {
      const at = (this.#head + n) & (this.#numbers.length - 1);
      const number = this.#numbers[at]!;
      if (!passOver(withdrawn, number)) yield { number, ended_ms: this.#ended_ms[at]! };
    }
  }

  #resize(capacity: number): void {
    const numbers = new Uint32Array(capacity);
    const ended_ms = new Float64Array(capacity);
    const mask = this.#numbers.length - 1;
    let length = 0;
    for (let n = 0; n < this.#length; n++) {
      const at = (this.#head + n) & mask;
      if (this.#stale > 0 && passOver(this.#withdrawn, this.#numbers[at]!)) continue;
      numbers[length] = this.#numbers[at]!;
      ended_ms[length] = this.#ended_ms[at]!;
      length++;
    }
    this.#numbers = numbers;
    this.#ended_ms = ended_ms;
    this.#head = 0;
    this.#length = length;
    this.#stale = 0;
  }
}

/** Whether this entry of a number no longer counts; if so, one less of that number is left. */
function passOver(withdrawn: Map<number, number>, number: number): boolean {
  const left = withdrawn.get(number);
  if (left === undefined) return false;
  if (left > 1) withdrawn.set(number, left - 1);
  else withdrawn.delete(number);
  return true;
}
