// From a hash to the ticket that has it: open addressing with linear probing over ticket numbers, 4 bytes a slot.
// The hash itself stays in the ticket's segment and is not stored again. Deletion shifts back what follows
// (Knuth, The Art of Computer Programming 6.4, algorithm R), so no tombstones ever slow a look-up.

const CAPACITY_MIN = 64;
/** More than this part of the slots taken, and they become more: a ticket costs 8 bytes at most (while there are many).
 * Less than a fifth: they become fewer. */
const LOAD_MAX = 0.7;
const LOAD_MIN = 0.2;
const GROWTH = 1.4;

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
    const slots = this.#slots;
    for (let at = home(words[0]!, slots); ; at = next(at, slots)) {
      const number = slots[at]!;
      if (number === 0 || this.#hashes.matches(number, words)) return number;
    }
  }

  /** Adds a ticket whose hash is not there yet. */
  add(number: number): void {
    if (this.#size + 1 > this.#slots.length * LOAD_MAX) this.#resize(this.#slots.length * GROWTH);
    this.#place(number);
    this.#size++;
  }

  /** Takes a ticket out; its hash must still be readable. */
  delete(number: number): void {
    const slots = this.#slots;
    let hole = home(this.#hashes.firstWord(number), slots);
    while (slots[hole] !== number) {
      if (slots[hole] === 0) return;
      hole = next(hole, slots);
    }
    for (let at = next(hole, slots); slots[at] !== 0; at = next(at, slots)) {
      const wants = home(this.#hashes.firstWord(slots[at]!), slots);
      // It may move back into the hole unless its home lies between the hole and where it is.
      if (distance(wants, at, slots) >= distance(hole, at, slots)) {
        slots[hole] = slots[at]!;
        hole = at;
      }
    }
    slots[hole] = 0;
    this.#size--;
    if (slots.length > CAPACITY_MIN && this.#size < slots.length * LOAD_MIN) {
      this.#resize(Math.max(CAPACITY_MIN, slots.length / GROWTH));
    }
  }

  #place(number: number): void {
    const slots = this.#slots;
    let at = home(this.#hashes.firstWord(number), slots);
    while (slots[at] !== 0) at = next(at, slots);
    slots[at] = number;
  }

  #resize(capacity: number): void {
    const former = this.#slots;
    this.#slots = new Uint32Array(Math.ceil(capacity));
    for (const number of former) if (number !== 0) this.#place(number);
  }
}

/** The hashes are keyed HMACs, uniform already: a slot is as far along as the hash is among all. */
function home(word: number, { length }: Uint32Array): number {
  return Math.floor((word / 2 ** 32) * length);
}

function next(at: number, { length }: Uint32Array): number {
  return at + 1 === length ? 0 : at + 1;
}

/** Slots from one to the other, round the end. */
function distance(from: number, to: number, { length }: Uint32Array): number {
  return to >= from ? to - from : to - from + length;
}
