// Further keys of a ticket: in a pass queue, whoever asks under a new key while the same subject's ticket is live is
// answered by that ticket, and must be by the same one later, too. Each is kept with the request that it came with, for
// as long as its ticket. Few tickets have any, so they are in a pool of their own, 40 bytes each with the index.

import { KeyIndex } from "./key-index.ts";
import { DIGEST_WORDS, KEY_WORDS } from "./segment.ts";

/** How many further keys one ticket may have. The next is refused: were the first forgotten instead, a retry under it
 * could become another ticket. Somebody who asks so often needs no new key. */
export const ALIASES_MAX = 16;

const CAPACITY_MIN = 4;
const ROW_WORDS = KEY_WORDS + DIGEST_WORDS;

export class Aliases {
  /** By place, from 1: the key, and the digest of the request. */
  #rows = new Uint32Array();
  /** By place: the ticket; 0: free. */
  #tickets = new Uint32Array();
  /** By place: the same ticket's alias after it, or the next free place; 0: none. */
  #next = new Uint32Array();
  /** By ticket: its first. */
  readonly #first = new Map<number, number>();
  #size = 0;
  /** The highest place ever taken, and the first of those that were given back. */
  #taken = 0;
  #free = 0;
  /** From the first on: most queues have none. */
  #index: KeyIndex | undefined;

  get size(): number {
    return this.#size;
  }

  /** The ticket that a key is a further one of; 0: none. */
  get(key: Uint32Array): number {
    return this.#index === undefined ? 0 : this.#tickets[this.#index.get(key)]!;
  }

  /** Whether a key that is here came with this digest. */
  sameRequest(key: Uint32Array, digest: Uint32Array): boolean {
    const place = this.#index?.get(key) ?? 0;
    return place !== 0 && this.#matches(place * ROW_WORDS + KEY_WORDS, digest);
  }

  /** Whether the ticket may have one more. */
  hasRoom(ticket: number): boolean {
    return this.#size === 0 || this.of(ticket).length < ALIASES_MAX;
  }

  /** Adds a key that is not here yet, after those that the ticket has. */
  add(ticket: number, key: Uint32Array, digest: Uint32Array): void {
    const place = this.#take();
    this.#rows.set(key, place * ROW_WORDS);
    this.#rows.set(digest, place * ROW_WORDS + KEY_WORDS);
    this.#tickets[place] = ticket;
    this.#next[place] = 0;
    const last = this.#places(ticket).at(-1);
    if (last === undefined) this.#first.set(ticket, place);
    else this.#next[last] = place;
    this.#index ??= new KeyIndex({
      firstWord: (at) => this.#rows[at * ROW_WORDS]!,
      matches: (at, words) => this.#matches(at * ROW_WORDS, words),
    });
    this.#index.add(place);
    this.#size++;
  }

  /** A ticket's further keys, in the order in which they came. */
  of(ticket: number): { key: Uint32Array; digest: Uint32Array }[] {
    return this.#places(ticket).map((place) => {
      const row = this.#rows.subarray(place * ROW_WORDS, (place + 1) * ROW_WORDS);
      return { key: row.subarray(0, KEY_WORDS), digest: row.subarray(KEY_WORDS) };
    });
  }

  /** Forgets those of a ticket. */
  forget(ticket: number): void {
    if (this.#size === 0) return;
    for (const place of this.#places(ticket)) {
      this.#index?.delete(place);
      this.#tickets[place] = 0;
      this.#next[place] = this.#free;
      this.#free = place;
      this.#size--;
    }
    this.#first.delete(ticket);
    if (this.#size === 0) this.#letGo();
  }

  /** Throws a `RangeError` where it has more than it may: then they follow each other in a circle, and for ever. */
  #places(ticket: number): number[] {
    const places: number[] = [];
    for (let place = this.#first.get(ticket) ?? 0; place !== 0; place = this.#next[place]!)
      if (places.push(place) > ALIASES_MAX)
        throw new RangeError(`ticket ${ticket} has more than ${ALIASES_MAX} further keys`);
    return places;
  }

  #matches(at: number, words: Uint32Array): boolean {
    for (let word = 0; word < words.length; word++) if (this.#rows[at + word] !== words[word]) return false;
    return true;
  }

  #take(): number {
    const place = this.#free;
    if (place !== 0) {
      this.#free = this.#next[place]!;
      return place;
    }
    const capacity = this.#tickets.length;
    if (this.#taken + 1 >= capacity) this.#resize(Math.max(CAPACITY_MIN, capacity * 2));
    return ++this.#taken;
  }

  #resize(capacity: number): void {
    const grown = (former: Uint32Array, length: number) => {
      const array = new Uint32Array(length);
      array.set(former.subarray(0, length));
      return array;
    };
    this.#rows = grown(this.#rows, capacity * ROW_WORDS);
    this.#tickets = grown(this.#tickets, capacity);
    this.#next = grown(this.#next, capacity);
  }

  /** Memory comes back when there are none: a crowd that had many is over some time. */
  #letGo(): void {
    this.#taken = 0;
    this.#free = 0;
    this.#index = undefined;
    this.#resize(0);
  }
}
