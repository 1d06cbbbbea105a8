// What is measured: Usher's fold in three shapes of ticket, and the two structures that one would write first.

import { Fold, type LogEvent, type QueueEvent, SETTINGS_DEFAULTS, type Settings } from "@usher/queue";

/** A line of people. */
export interface Contestant {
  /** The number of the ticket under this key: a new one, or the one that is there. */
  issue(key: Uint8Array): number;
  leave(number: number): void;
  /** Those who wait and came before, plus one; undefined: does not wait. */
  position(number: number): number | undefined;
  /** Everybody in line has waited too long; they are forgotten too. */
  expireAll(): void;
  /** Those who left or expired so far are forgotten. */
  forget(): void;
  readonly waiting: number;
}

export const CONTESTANTS = {
  defer: () => new Usher("defer", (hash) => ({ key: hash, digest: hash.subarray(0, 8) })),
  pass: () => new Usher("pass", (hash) => ({ subject: hash })),
  "pass-with-key": () =>
    new Usher("pass", (hash) => ({ subject: hash.toReversed(), key: hash, digest: hash.subarray(0, 8) })),
  map: () => new MapOfObjects(),
  array: () => new ArrayOfObjects(),
} satisfies Record<string, () => Contestant>;

export type ContestantName = keyof typeof CONTESTANTS;

const QUEUE = "bench";
const SESSION = 1n;
const RETENTION_MS = 1_000;
const TICK_MS = 1_000;
const DAY_MS = 86_400_000;
const WALL_MS = 1_790_000_000_000;

type Names = Pick<Extract<QueueEvent, { kind: "ticket_issued" }>, "key" | "subject" | "digest">;

class Usher implements Contestant {
  readonly #fold = new Fold();
  readonly #settings: Settings;
  readonly #names: (hash: Uint8Array) => Names;
  #sequence = 0;
  #revision = 0;

  constructor(kind: Settings["kind"], names: (hash: Uint8Array) => Names) {
    this.#names = names;
    this.#settings = {
      ...SETTINGS_DEFAULTS,
      kind,
      // One in a quarter of an hour: nearly nobody's turn comes.
      rate_thousandths: 1,
      max_waiting: 20_000_000,
      max_wait_ms: DAY_MS,
      key_retention_ms: RETENTION_MS,
    };
    this.#write({ kind: "genesis", id: "00" });
    this.#write({ kind: "session_opened", former: 0n, node: "bench" });
    this.#write({ kind: "term_opened", term: 1 });
    this.#tick();
    this.#configure({});
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  issue(key: Uint8Array): number {
    const stored_request = this.#settings.kind === "defer";
    const names = this.#names(key);
    const outcome = this.#write({ kind: "ticket_issued", queue: QUEUE, stored_request, ...names });
    if (outcome.kind !== "issued") throw new Error(`no ticket was issued: ${JSON.stringify(outcome)}`);
    return outcome.number;
  }

  leave(number: number): void {
    this.#write({ kind: "ticket_left", queue: QUEUE, number });
  }

  position(number: number): number | undefined {
    return this.#queue.position(number);
  }

  expireAll(): void {
    this.#configure({ max_wait_ms: TICK_MS });
    this.#tick();
    this.forget();
    this.#configure({});
  }

  forget(): void {
    this.#tick();
    this.#tick();
  }

  get #queue() {
    return this.#fold.queue(QUEUE)!;
  }

  #configure(change: Partial<Settings>): void {
    const settings = { ...this.#settings, ...change };
    this.#revision++;
    this.#write({ kind: "queue_configured", queue: QUEUE, revision: this.#revision, settings, reason: "" });
  }

  #tick(): void {
    this.#write({ kind: "tick", term: 1, elapsed_ms: TICK_MS });
  }

  #write(event: LogEvent) {
    this.#sequence++;
    const outcome = this.#fold.apply({ session: SESSION, sequence: this.#sequence, wall_ms: WALL_MS, event });
    this.#fold.takeChanges();
    return outcome;
  }
}

/** A ticket as one would write it. */
interface TicketObject {
  readonly number: number;
  readonly key: string;
  readonly digest: string;
  readonly issued_ms: number;
  readonly issuedWall_ms: number;
  readonly sequence: number;
  state: "waiting" | "left";
}

abstract class Objects implements Contestant {
  protected readonly byKey = new Map<string, TicketObject>();
  protected ended: TicketObject[] = [];
  #last = 0;

  abstract readonly waiting: number;
  abstract position(number: number): number | undefined;
  protected abstract add(ticket: TicketObject): void;
  protected abstract end(number: number): TicketObject | undefined;
  abstract expireAll(): void;

  issue(key: Uint8Array): number {
    const hex = Buffer.from(key).toString("hex");
    const there = this.byKey.get(hex);
    if (there !== undefined) return there.number;
    const number = ++this.#last;
    const digest = hex.slice(0, 16);
    const times = { issued_ms: number, issuedWall_ms: WALL_MS, sequence: number };
    const ticket: TicketObject = { number, key: hex, digest, ...times, state: "waiting" };
    this.byKey.set(hex, ticket);
    this.add(ticket);
    return number;
  }

  leave(number: number): void {
    const ticket = this.end(number);
    if (ticket === undefined) return;
    ticket.state = "left";
    this.ended.push(ticket);
  }

  forget(): void {
    for (const { key } of this.ended) this.byKey.delete(key);
    this.ended = [];
  }
}

/** By number in a Map, and the numbers of those who wait sorted: a place is a binary search. */
class MapOfObjects extends Objects {
  readonly #tickets = new Map<number, TicketObject>();
  #numbers: number[] = [];

  get waiting(): number {
    return this.#numbers.length;
  }

  position(number: number): number | undefined {
    const at = this.#at(number);
    return this.#numbers[at] === number ? at + 1 : undefined;
  }

  expireAll(): void {
    for (const number of this.#numbers) this.byKey.delete(this.#tickets.get(number)!.key);
    this.#tickets.clear();
    this.#numbers = [];
  }

  override forget(): void {
    for (const { number } of this.ended) this.#tickets.delete(number);
    super.forget();
  }

  protected add(ticket: TicketObject): void {
    this.#tickets.set(ticket.number, ticket);
    this.#numbers.push(ticket.number);
  }

  protected end(number: number): TicketObject | undefined {
    const at = this.#at(number);
    if (this.#numbers[at] !== number) return undefined;
    this.#numbers.splice(at, 1);
    return this.#tickets.get(number);
  }

  /** The first that is not below the number. */
  #at(number: number): number {
    let low = 0;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#numbers[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** In the order of their numbers; a place is found by counting. */
class ArrayOfObjects extends Objects {
  #tickets: TicketObject[] = [];

  get waiting(): number {
    return this.#tickets.filter(({ state }) => state === "waiting").length;
  }

  position(number: number): number | undefined {
    let ahead = 0;
    for (const ticket of this.#tickets) {
      if (ticket.number === number) return ticket.state === "waiting" ? ahead + 1 : undefined;
      if (ticket.state === "waiting") ahead++;
    }
    return undefined;
  }

  expireAll(): void {
    for (const { key } of this.#tickets) this.byKey.delete(key);
    this.#tickets = [];
  }

  override forget(): void {
    super.forget();
    this.#tickets = this.#tickets.filter(({ state }) => state === "waiting");
  }

  protected add(ticket: TicketObject): void {
    this.#tickets.push(ticket);
  }

  protected end(number: number): TicketObject | undefined {
    return this.#tickets.find((ticket) => ticket.number === number && ticket.state === "waiting");
  }
}
