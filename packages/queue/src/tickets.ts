// A queue's tickets, by number: their columns, their keys, and who waits. Knows what a ticket is, not what may
// happen to it: that is `queue.ts`.

import type { Afterwards } from "./afterwards.ts";
import { Aliases } from "./aliases.ts";
import { type Hashes, KeyIndex } from "./key-index.ts";
import { Line, slotOf } from "./line.ts";
import {
  DIGEST_WORDS,
  HAS_KEY,
  HAS_REQUEST,
  HAS_SUBJECT,
  KEY_WORDS,
  type Segment,
  STAGE,
  STAGE_MASK,
} from "./segment.ts";

export type Stage = keyof typeof STAGE;
type PresentStage = Exclude<Stage, "absent">;
/** How a ticket ends. */
export type EndStage = Exclude<PresentStage, "waiting" | "admitted">;

const STAGES = Object.keys(STAGE) as Stage[];

/** The highest number a ticket can have. */
export const NUMBER_MAX = 2 ** 32 - 1;

/** What a new ticket comes with. */
export interface NewTicket {
  readonly key: Uint32Array | undefined;
  readonly subject: Uint32Array | undefined;
  readonly digest: Uint32Array | undefined;
  readonly stored_request: boolean;
  /** The queue's waiting clock. */
  readonly issued_ms: number;
  readonly issuedWall_ms: number;
  readonly session: bigint;
  readonly sequence: number;
}

export interface TicketNames {
  key?: readonly number[];
  digest?: readonly number[];
  /** 0: none. */
  keyFinds?: number;
  subject?: readonly number[];
  /** The live ticket of that subject; 0: none. */
  subjectFinds?: number;
  /** Of each further key: the key, the digest, and the number that is found by it. */
  aliases?: readonly number[];
}

export class Tickets {
  readonly #line = new Line();
  readonly #keys: KeyIndex;
  readonly #subjects: KeyIndex;
  readonly #aliases = new Aliases();
  #last = 0;

  constructor() {
    this.#keys = new KeyIndex(this.#hashes((segment) => segment.key!));
    this.#subjects = new KeyIndex(this.#hashes((segment) => segment.subject!));
  }

  /** The highest number given out. */
  get last(): number {
    return this.#last;
  }

  get waiting(): number {
    return this.#line.waiting;
  }

  /** Segments held in memory. */
  get segments(): number {
    return this.#line.segments;
  }

  /** The number of who is next; 0: nobody waits. */
  front(): number {
    return this.#line.front();
  }

  /** Waiting tickets before this one, plus one. The ticket waits. */
  position(number: number): number {
    return this.#line.ahead(number) + 1;
  }

  /** Those that are not forgotten, by number. */
  numbers(): Iterable<number> {
    return this.#line.numbers();
  }

  /** How many have a key. */
  get keys(): number {
    return this.#keys.size;
  }

  /** How many further keys there are. */
  get aliases(): number {
    return this.#aliases.size;
  }

  /** How many live ones have a subject. */
  get subjects(): number {
    return this.#subjects.size;
  }

  /** What a ticket came with to be found by, in words, and the numbers that are found by it now. */
  names(number: number): TicketNames {
    const { flags, key, digest, subject } = this.#held(number);
    const slot = slotOf(number);
    const names: TicketNames = {};
    if ((flags[slot]! & HAS_KEY) !== 0) {
      const words = key!.subarray(slot * KEY_WORDS, (slot + 1) * KEY_WORDS);
      names.key = [...words];
      names.digest = [...digest!.subarray(slot * DIGEST_WORDS, (slot + 1) * DIGEST_WORDS)];
      names.keyFinds = this.byKey(words);
    }
    if ((flags[slot]! & HAS_SUBJECT) !== 0) {
      const words = subject!.subarray(slot * KEY_WORDS, (slot + 1) * KEY_WORDS);
      names.subject = [...words];
      names.subjectFinds = this.bySubject(words);
    }
    const aliases = this.#aliases.of(number);
    if (aliases.length > 0)
      names.aliases = aliases.flatMap(({ key, digest }) => [...key, ...digest, this.byKey(key)]);
    return names;
  }

  /** The ticket that was issued or found under a key; 0: none. */
  byKey(words: Uint32Array): number {
    return this.#keys.get(words) || this.#aliases.get(words);
  }

  /** The live ticket of a subject; 0: none. */
  bySubject(words: Uint32Array): number {
    return this.#subjects.get(words);
  }

  /** Gives the next number to a ticket that begins to wait. */
  add(ticket: NewTicket): number {
    const number = ++this.#last;
    const segment = this.#line.extend(number);
    const slot = slotOf(number);
    segment.issued_ms[slot] = ticket.issued_ms;
    segment.setIssuedWall(slot, ticket.issuedWall_ms);
    segment.setWriter(slot, ticket.session, ticket.sequence);
    segment.used++;
    segment.present++;
    segment.flags[slot] =
      STAGE.waiting |
      (ticket.key ? HAS_KEY : 0) |
      (ticket.subject ? HAS_SUBJECT : 0) |
      (ticket.stored_request ? HAS_REQUEST : 0);
    if (ticket.key) {
      segment.setKey(slot, ticket.key, ticket.digest);
      this.#keys.add(number);
    }
    if (ticket.subject) {
      segment.setSubject(slot, ticket.subject);
      this.#subjects.add(number);
    }
    this.#line.enter(number);
    return number;
  }

  /** Whether a ticket may have one more key. */
  hasRoomForAlias(number: number): boolean {
    return this.#aliases.hasRoom(number);
  }

  /** Remembers a further key of a ticket, one that is not known yet, until the ticket is forgotten. */
  addAlias(number: number, key: Uint32Array, digest: Uint32Array): void {
    this.#aliases.add(number, key, digest);
  }

  stage(number: number): Stage {
    const segment = this.#line.segment(number);
    return segment === undefined ? "absent" : STAGES[segment.flags[slotOf(number)]! & STAGE_MASK]!;
  }

  hasRequest(number: number): boolean {
    return (this.#flags(number) & HAS_REQUEST) !== 0;
  }

  /** Whether a key that has a ticket came with this digest. */
  sameRequest(key: Uint32Array, digest: Uint32Array): boolean {
    const number = this.#keys.get(key);
    if (number === 0) return this.#aliases.sameRequest(key, digest);
    const stored = this.#held(number).digest!;
    const at = slotOf(number) * DIGEST_WORDS;
    return stored[at] === digest[0] && stored[at + 1] === digest[1];
  }

  issued_ms(number: number): number {
    return this.#held(number).issued_ms[slotOf(number)]!;
  }

  issuedWall_ms(number: number): number {
    return this.#held(number).issuedWall_ms(slotOf(number));
  }

  /** The session and sequence of the record that issued it: they name its stored request. */
  origin(number: number): { session: bigint; sequence: number } {
    const segment = this.#held(number);
    const slot = slotOf(number);
    return { session: segment.writers[segment.writer[slot]!]!, sequence: segment.sequence[slot]! };
  }

  /** What came after waiting; all 0 before. */
  afterwards(number: number): Afterwards {
    return this.#held(number).afterwards(slotOf(number));
  }

  admit(number: number, admission: number, admittedWall_ms: number): void {
    this.#setStage(number, "admitted");
    this.#line.leave(number);
    this.#setAfterwards(number, { admission, admittedWall_ms });
  }

  attempted(number: number, attempt: number): void {
    this.#setAfterwards(number, { attempt });
  }

  answered(number: number, attempt: number, status: number): void {
    this.#setAfterwards(number, { attempt, status });
  }

  /** Ends a ticket that waits or is admitted; its subject may take another. */
  end(number: number, stage: EndStage, wall_ms: number): void {
    const segment = this.#held(number);
    const slot = slotOf(number);
    if (this.stage(number) === "waiting") this.#line.leave(number);
    if ((segment.flags[slot]! & HAS_SUBJECT) !== 0) this.#subjects.delete(number);
    this.#setStage(number, stage);
    segment.setAfterwards(slot, { endedWall_ms: wall_ms });
  }

  /** Takes an ended ticket up again, as an admitted one. */
  resume(number: number): void {
    this.#setStage(number, "admitted");
    this.#setAfterwards(number, { endedWall_ms: 0 });
  }

  /** *Unknown* became *answered*. */
  settle(number: number, stage: EndStage): void {
    this.#setStage(number, stage);
  }

  /** Forgets an ended ticket and its keys. */
  forget(number: number): void {
    const segment = this.#held(number);
    if ((this.#flags(number) & HAS_KEY) !== 0) this.#keys.delete(number);
    this.#aliases.forget(number);
    segment.flags[slotOf(number)] = STAGE.absent;
    segment.present--;
    this.#line.release(number);
  }

  #flags(number: number): number {
    return this.#held(number).flags[slotOf(number)]!;
  }

  #setAfterwards(number: number, values: Partial<Afterwards>): void {
    this.#held(number).setAfterwards(slotOf(number), values);
  }

  #setStage(number: number, stage: PresentStage): void {
    const flags = this.#held(number).flags;
    const slot = slotOf(number);
    flags[slot] = (flags[slot]! & ~STAGE_MASK) | STAGE[stage];
  }

  #held(number: number): Segment {
    return this.#line.segment(number)!;
  }

  #hashes(column: (segment: Segment) => Uint32Array): Hashes {
    return {
      firstWord: (number) => column(this.#held(number))[slotOf(number) * KEY_WORDS]!,
      matches: (number, words) => {
        const stored = column(this.#held(number));
        const at = slotOf(number) * KEY_WORDS;
        return (
          stored[at] === words[0] &&
          stored[at + 1] === words[1] &&
          stored[at + 2] === words[2] &&
          stored[at + 3] === words[3]
        );
      },
    };
  }
}

/** Whether the bytes are a hash of so many words, where there are any. */
export function isHash(bytes: Uint8Array | undefined, words: number): boolean {
  return bytes === undefined || bytes.length === words * 4;
}

/** A hash's bytes as 32-bit words; shorter ones are filled with zeros. */
export function hashWords(bytes: Uint8Array, words: number): Uint32Array {
  const result = new Uint32Array(words);
  for (let at = 0; at < words * 4 && at < bytes.length; at++)
    result[at >> 2]! |= bytes[at]! << ((at & 3) * 8);
  return result;
}
