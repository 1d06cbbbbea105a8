// Ended tickets in the order of their end, until they are forgotten: a ring of numbers and times that grows and
// shrinks by halves.

const CAPACITY_MIN = 64;

export class Remembered {
  #numbers = new Uint32Array(CAPACITY_MIN);
  #ended_ms = new Float64Array(CAPACITY_MIN);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(number: number, ended_ms: number): void {
    if (this.#size === this.#numbers.length) this.#resize(this.#size * 2);
    const at = (this.#head + this.#size) & (this.#numbers.length - 1);
    this.#numbers[at] = number;
    this.#ended_ms[at] = ended_ms;
    this.#size++;
  }

  /** Takes out the next one that ended no later than this; 0: none. */
  next(endedBy_ms: number): number {
    if (this.#size === 0 || this.#ended_ms[this.#head]! > endedBy_ms) return 0;
    const number = this.#numbers[this.#head]!;
    this.#head = (this.#head + 1) & (this.#numbers.length - 1);
    this.#size--;
    const capacity = this.#numbers.length;
    if (capacity > CAPACITY_MIN && this.#size < capacity / 8) this.#resize(capacity / 2);
    return number;
  }

  #resize(capacity: number): void {
    const numbers = new Uint32Array(capacity);
    const ended_ms = new Float64Array(capacity);
    const mask = this.#numbers.length - 1;
    for (let n = 0; n < this.#size; n++) {
      numbers[n] = this.#numbers[(this.#head + n) & mask]!;
      ended_ms[n] = this.#ended_ms[(this.#head + n) & mask]!;
    }
    this.#numbers = numbers;
    this.#ended_ms = ended_ms;
    this.#head = 0;
  }
}
