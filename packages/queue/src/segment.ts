// 1,024 tickets in columns: typed arrays, because ten million objects would not fit. A ticket takes 19 bytes here
// while it waits, 24 more in a segment with keys, 16 more in one with subjects; what is known only later is in
// `afterwards.ts`, in rows that are made then.

import { type Afterwards, AfterwardsRows, NOTHING } from "./afterwards.ts";

export const SEGMENT_TICKETS = 1024;

/** The bits of a ticket's flags. The lowest three hold its stage. */
export const STAGE_MASK = 0b111;
export const HAS_KEY = 1 << 3;
export const HAS_SUBJECT = 1 << 4;
export const HAS_REQUEST = 1 << 5;

/** A ticket's stage; 0 is absent: never issued, or forgotten. */
export const STAGE = {
  absent: 0,
  waiting: 1,
  admitted: 2,
  completed: 3,
  left: 4,
  expired: 5,
  failed: 6,
  unknown: 7,
} as const;

export const KEY_WORDS = 4;
export const DIGEST_WORDS = 2;
const WALL_DELTA_MAX = 2 ** 31 - 1;

export class Segment {
  readonly flags: Uint8Array;
  /** One bit a ticket: it waits. */
  readonly waiting: Uint32Array;
  /** The queue's waiting clock at the issue, in ms. */
  readonly issued_ms: Float64Array;
  /** The issue record's sequence, and in `writers` its session: the name of the stored request. */
  readonly sequence: Uint32Array;
  readonly writer: Uint16Array;
  readonly writers: bigint[] = [];
  /** The issuing node's wall clock, in ms from the segment's first; display alone, so clamped at 24 days. */
  readonly #wall: Int32Array;
  #wallBase_ms = 0;
  /** 128 bits of the key's hash, and 64 of the request's; from the first ticket that has a key. */
  key: Uint32Array | undefined;
  digest: Uint32Array | undefined;
  /** 128 bits of the subject's hash; from the first ticket that has one. */
  subject: Uint32Array | undefined;
  #afterwards: AfterwardsRows | undefined;
  /** Tickets not forgotten. */
  present = 0;
  /** Slots handed out, from the lowest. */
  used = 0;

  constructor() {
    const n = SEGMENT_TICKETS;
    const buffer = new ArrayBuffer(n * (8 + 4 + 4 + 2 + 1) + n / 8);
    let at = 0;
    const take = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    this.issued_ms = new Float64Array(buffer, take(8 * n), n);
    this.sequence = new Uint32Array(buffer, take(4 * n), n);
    this.#wall = new Int32Array(buffer, take(4 * n), n);
    this.waiting = new Uint32Array(buffer, take(n / 8), n / 32);
    this.writer = new Uint16Array(buffer, take(2 * n), n);
    this.flags = new Uint8Array(buffer, take(n), n);
  }

  setIssuedWall(slot: number, wall_ms: number): void {
    if (this.used === 0) this.#wallBase_ms = wall_ms;
    const delta = wall_ms - this.#wallBase_ms;
    this.#wall[slot] = Math.max(-WALL_DELTA_MAX, Math.min(WALL_DELTA_MAX, delta));
  }

  issuedWall_ms(slot: number): number {
    return this.#wallBase_ms + this.#wall[slot]!;
  }

  setWriter(slot: number, session: bigint, sequence: number): void {
    const last = this.writers.length - 1;
    const at = this.writers[last] === session ? last : this.writers.indexOf(session);
    this.writer[slot] = at >= 0 ? at : this.writers.push(session) - 1;
    this.sequence[slot] = sequence;
  }

  setKey(slot: number, key: Uint32Array, digest: Uint32Array | undefined): void {
    this.key ??= new Uint32Array(SEGMENT_TICKETS * KEY_WORDS);
    this.digest ??= new Uint32Array(SEGMENT_TICKETS * DIGEST_WORDS);
    this.key.set(key, slot * KEY_WORDS);
    if (digest !== undefined) this.digest.set(digest, slot * DIGEST_WORDS);
  }

  setSubject(slot: number, words: Uint32Array): void {
    this.subject ??= new Uint32Array(SEGMENT_TICKETS * KEY_WORDS);
    this.subject.set(words, slot * KEY_WORDS);
  }

  /** What is known of a ticket that no longer waits. */
  afterwards(slot: number): Afterwards {
    return this.#afterwards?.get(slot) ?? NOTHING;
  }

  setAfterwards(slot: number, values: Partial<Afterwards>): void {
    this.#afterwards ??= new AfterwardsRows(SEGMENT_TICKETS);
    this.#afterwards.set(slot, values);
  }
}
