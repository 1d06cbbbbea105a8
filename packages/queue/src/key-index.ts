// From a hash to the ticket that has it: open addressing with linear probing over ticket numbers, 4 bytes a slot.
// The hash itself stays in the ticket's segment and is not stored again. Deletion shifts back what follows
// (Knuth, The Art of Computer Programming 6.4, algorithm R), so no tombstones ever slow a look-up.

const CAPACITY_MIN = 64;
/** More than this part of the slots taken: twice the slots. Below an eighth: half of them. */
const LOAD_MAX = 0.7;
const LOAD_MIN = 0.125;

/** Where the hashes are. */
export interface Hashes {
  /** Whether the ticket's hash is this one. */
  matches(number: number, words: Uint32Array): boolean;
  /** The first 32 bits of the ticket's hash. */
  firstWord(number: number): number;
}

export class KeyIndex {
  readonly #hashes: Hashes;
  #slots = new Uint32Array(CAPACITY_MIN);
  #size = 0;

  constructor(hashes: Hashes) {
    this.#hashes = hashes;
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the ticket with this hash; 0: none. */
  get(words: Uint32Array): number {
    const mask = this.#slots.length - 1;
    for (let at = home(words[0]!, mask); ; at = (at + 1) & mask) {
      const number = this.#slots[at]!;
      if (number === 0 || this.#hashes.matches(number, words)) return number;
    }
  }

  /** Adds a ticket whose hash is not there yet. */
  add(number: number): void {
    if (this.#size + 1 > this.#slots.length * LOAD_MAX) this.#resize(this.#slots.length * 2);
    this.#place(number);
    this.#size++;
  }

  /** Takes a ticket out; its hash must still be readable. */
  delete(number: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = home(this.#hashes.firstWord(number), mask);
    while (slots[hole] !== number) {
      if (slots[hole] === 0) return;
      hole = (hole + 1) & mask;
    }
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const wants = home(this.#hashes.firstWord(slots[at]!), mask);
      // It may move back into the hole unless its home lies between the hole and where it is.
      if (((at - wants) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]!;
        hole = at;
      }
    }
    slots[hole] = 0;
    this.#size--;
    if (slots.length > CAPACITY_MIN && this.#size < slots.length * LOAD_MIN) this.#resize(slots.length / 2);
  }

  #place(number: number): void {
    const mask = this.#slots.length - 1;
    let at = home(this.#hashes.firstWord(number), mask);
    while (this.#slots[at] !== 0) at = (at + 1) & mask;
    this.#slots[at] = number;
  }

  #resize(capacity: number): void {
    const former = this.#slots;
    this.#slots = new Uint32Array(capacity);
    for (const number of former) if (number !== 0) this.#place(number);
  }
}

/** The hashes are keyed HMACs, uniform already: their first bits need no mixing. */
function home(word: number, mask: number): number {
  return word & mask;
}
