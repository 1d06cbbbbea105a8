// Who waits, in rank order: one bit a ticket in its segment, and a Fenwick tree (P. M. Fenwick, "A new data
// structure for cumulative frequency tables", 1994) over the segments' counts. A position costs O(log segments) plus
// at most 32 words of bits; a segment whose tickets are all forgotten is let go.

import { SEGMENT_TICKETS, Segment, STAGE, STAGE_MASK } from "./segment.ts";

const SEGMENT_BITS = Math.log2(SEGMENT_TICKETS);
const SLOT_MASK = SEGMENT_TICKETS - 1;

export class Line {
  /** Segments by index, from `#first`; undefined: let go. */
  #segments: (Segment | undefined)[] = [];
  #first = 0;
  #held = 0;
  /** The Fenwick tree, 1-based, over `#segments`. */
  #tree = new Uint32Array(16);
  #waiting = 0;
  /** No ticket below this number waits. */
  #front = 1;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many segments are held in memory. */
  get segments(): number {
    return this.#held;
  }

  /** The segment of a ticket, if it is still held. */
  segment(number: number): Segment | undefined {
    return this.#segments[((number - 1) >>> SEGMENT_BITS) - this.#first];
  }

  /** Those that are not forgotten, by number. */
  *numbers(): Iterable<number> {
    for (let at = 0; at < this.#segments.length; at++) {
      const segment = this.#segments[at];
      if (segment === undefined) continue;
      const first = (this.#first + at) * SEGMENT_TICKETS + 1;
      for (let slot = 0; slot < segment.used; slot++) {
        if ((segment.flags[slot]! & STAGE_MASK) !== STAGE.absent) yield first + slot;
      }
    }
  }

  /** The segment for the next number, made when it is the first in it. */
  extend(number: number): Segment {
    const at = ((number - 1) >>> SEGMENT_BITS) - this.#first;
    let segment = this.#segments[at];
    if (segment === undefined) {
      segment = new Segment();
      this.#segments[at] = segment;
      this.#held++;
      this.#growTree(at + 1);
    }
    return segment;
  }

  enter(number: number): void {
    const slot = slotOf(number);
    const segment = this.segment(number)!;
    segment.waiting[slot >> 5]! |= 1 << (slot & 31);
    this.#count(number, 1);
  }

  leave(number: number): void {
    const slot = slotOf(number);
    const segment = this.segment(number)!;
    segment.waiting[slot >> 5]! &= ~(1 << (slot & 31));
    this.#count(number, -1);
  }

  /** How many of a lower number wait. */
  ahead(number: number): number {
    const at = ((number - 1) >>> SEGMENT_BITS) - this.#first;
    const slot = slotOf(number);
    const bits = this.#segments[at]!.waiting;
    let count = this.#before(at);
    for (let word = 0; word < slot >> 5; word++) count += popcount(bits[word]!);
    return count + popcount(bits[slot >> 5]! & ((1 << (slot & 31)) - 1));
  }

  /** The lowest number that waits; 0: nobody. */
  front(): number {
    if (this.#waiting === 0) return 0;
    let at = ((this.#front - 1) >>> SEGMENT_BITS) - this.#first;
    if (at < 0) at = 0;
    let word = this.#front > (at + this.#first) * SEGMENT_TICKETS ? slotOf(this.#front) >> 5 : 0;
    for (; ; at++, word = 0) {
      const bits = this.#segments[at]?.waiting;
      if (bits === undefined) continue;
      while (word < bits.length && bits[word] === 0) word++;
      if (word < bits.length) {
        const lowest = 31 - Math.clz32(bits[word]! & -bits[word]!);
        this.#front = (at + this.#first) * SEGMENT_TICKETS + word * 32 + lowest + 1;
        return this.#front;
      }
    }
  }

  /** Lets go of a ticket's segment once it is full and nothing in it is remembered. */
  release(number: number): void {
    const at = ((number - 1) >>> SEGMENT_BITS) - this.#first;
    const segment = this.#segments[at];
    if (segment === undefined || segment.present > 0 || segment.used < SEGMENT_TICKETS) return;
    this.#segments[at] = undefined;
    this.#held--;
    this.#dropFirst();
  }

  /** Drops the leading gaps when they are half of all, so that it costs O(1) a segment. */
  #dropFirst(): void {
    let gaps = 0;
    while (gaps < this.#segments.length && this.#segments[gaps] === undefined) gaps++;
    if (gaps < 16 || gaps * 2 < this.#segments.length) return;
    this.#segments = this.#segments.slice(gaps);
    this.#first += gaps;
    this.#rebuildTree();
  }

  #count(number: number, by: 1 | -1): void {
    this.#waiting += by;
    const tree = this.#tree;
    for (let at = ((number - 1) >>> SEGMENT_BITS) - this.#first + 1; at < tree.length; at += at & -at) {
      tree[at]! += by;
    }
  }

  /** The sum of the counts of the segments before this one. */
  #before(segment: number): number {
    let sum = 0;
    for (let at = segment; at > 0; at -= at & -at) sum += this.#tree[at]!;
    return sum;
  }

  #growTree(segments: number): void {
    if (segments >= this.#tree.length) this.#rebuildTree();
  }

  #rebuildTree(): void {
    let length = 16;
    while (length <= this.#segments.length) length *= 2;
    const tree = new Uint32Array(length);
    for (let at = 1; at < length; at++) {
      const bits = this.#segments[at - 1]?.waiting;
      if (bits !== undefined) for (const word of bits) tree[at]! += popcount(word);
      const parent = at + (at & -at);
      if (parent < length) tree[parent]! += tree[at]!;
    }
    this.#tree = tree;
  }
}

/** A ticket's slot in its segment. */
export function slotOf(number: number): number {
  return (number - 1) & SLOT_MASK;
}

/** Set bits of a 32-bit word (Hacker's Delight, figure 5-2). */
function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}
