// The log's twin in memory, for tests and simulations: what it is told to do wrong, it does. The map of this folder:
//
//   log.ts     puts the parts together, and writes     fate.ts       what may become of an append
//   store.ts   what outlives the log                   follower.ts   followers
//
// A log is open, then closing (what was accepted is written), then closed.

import { type LogLimits, logLimits } from "../limits.ts";
import {
  type Entry,
  type Follower,
  type Following,
  LogError,
  type Offset,
  type Payload,
  type PayloadKey,
  type TicketKey,
  type TicketLog,
  type Writer,
} from "../log.ts";
import { change, checkKey, drop, type Operation, put } from "../operation.ts";
import { Pending } from "../pending.ts";
import { Turns } from "../turns.ts";
import { LogWriter } from "../writer.ts";
import type { FateOf } from "./fate.ts";
import { Followers } from "./follower.ts";
import { MemoryStore } from "./store.ts";

export type { Fate, FateOf } from "./fate.ts";
export { MemoryStore } from "./store.ts";

export interface MemoryLogOptions {
  /** Where the entries are; a new one of its own. */
  readonly store?: MemoryStore;
  readonly limits?: Partial<LogLimits>;
  /** The wall clock by which payloads age, in milliseconds; `Date.now`. */
  readonly now?: () => number;
  /** What becomes of each append; all are written. */
  readonly fate?: FateOf;
}

/** Opens a log on a store. Throws "in_use" when another is open on it, unless it is shared. */
export function openMemoryLog(options: MemoryLogOptions = {}): MemoryLog {
  return new MemoryLog(options.store ?? new MemoryStore(), options);
}

export class MemoryLog implements TicketLog {
  readonly store: MemoryStore;
  readonly #limits: LogLimits;
  readonly #now: () => number;
  readonly #fate: FateOf;
  readonly #pending: Pending;
  readonly #turns = new Turns<Operation>();
  readonly #followers: Followers;
  /** Accepted, and answered by nothing but the log's close. */
  readonly #stuck: Operation[] = [];
  #writing = false;
  /** Nothing is written for now. */
  #held = false;
  #payloadReads = 0;
  #closing: Promise<void> | undefined;

  readonly #listener = { written: () => this.#followers.written() };

  constructor(store: MemoryStore, options: MemoryLogOptions) {
    store.open(this.#listener);
    this.store = store;
    this.#limits = logLimits(options.limits);
    this.#now = options.now ?? Date.now;
    this.#fate = options.fate ?? (() => "written");
    this.#pending = new Pending(this.#limits);
    this.#followers = new Followers(store, this.#limits.followers_max);
  }

  get shared(): boolean {
    return this.store.shared;
  }

  openWriter(): Writer {
    this.#demandOpen();
    return new LogWriter({
      limits: this.#limits,
      add: (operation) => this.#add(operation),
      refusal: () => this.#refusal(),
    });
  }

  follow(from: Offset, follower: Follower): Following {
    this.#demandOpen();
    return this.#followers.follow(from, follower);
  }

  async end(): Promise<Offset> {
    this.#demandOpen();
    return this.store.end;
  }

  putPayload(payload: Payload): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      this.#add(put(payload, this.#limits, ended));
    });
  }

  dropPayloads(keys: readonly TicketKey[]): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      this.#add(drop(keys, this.#limits, ended));
    });
  }

  async dropPayloadsOlderThan(age_ms: number): Promise<void> {
    this.#demandOpen();
    if (!(age_ms >= 0)) throw new RangeError(`${age_ms} ms is not an age`);
    this.store.expire(this.#now() - age_ms);
  }

  async getPayload(key: PayloadKey): Promise<Uint8Array | undefined> {
    this.#demandOpen();
    checkKey(key);
    const { payload_reads_max } = this.#limits;
    if (this.#payloadReads >= payload_reads_max)
      throw new LogError("overloaded", `${payload_reads_max} payloads are being fetched already`);
    this.#payloadReads++;
    await new Promise((resolve) => setImmediate(resolve));
    this.#payloadReads--;
    return this.store.payload(key);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Writes an entry that came from elsewhere: another process's, or nothing of Usher's. */
  inject(entry: Entry): void {
    this.store.write(entry, undefined, this.#now());
  }

  /** Writes nothing, and answers nothing, until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#writeSoon();
  }

  /** Neither writes nor reads, as a log that cannot be reached, until `mend`. */
  cut(): void {
    this.hold();
    this.#followers.cut();
  }

  mend(): void {
    this.#followers.mend();
    this.release();
  }

  /** Ends all following with an error. New followers begin as ever. */
  failFollowers(error: LogError): void {
    this.#followers.fail(error);
  }

  async #close(): Promise<void> {
    this.#followers.close();
    this.mend();
    for (const operation of this.#stuck.splice(0)) this.#end(operation, unknown("it was stuck"));
    await this.#pending.idle();
    this.store.close(this.#listener);
  }

  /** Throws "overloaded". */
  #add(operation: Operation): void {
    this.#pending.enter(operation.bytes);
    this.#turns.add(operation);
    this.#writeSoon();
  }

  /** In a later turn of the event loop, together with what else this one brings. */
  #writeSoon(): void {
    if (this.#writing || this.#held || !this.#turns.waiting) return;
    this.#writing = true;
    setImmediate(() => {
      this.#writing = false;
      if (this.#held) return;
      const batch = this.#turns.take();
      const ends = batch.map((operation) => ({ operation, error: this.#write(operation) }));
      for (const { operation, error } of ends) if (error !== "stuck") this.#end(operation, error);
      this.#writeSoon();
    });
  }

  /** Tells why it failed, if so. */
  #write(operation: Operation): LogError | undefined | "stuck" {
    const { entry, record } = operation;
    if (entry !== undefined) return this.#writeEntry(operation, entry);
    if (record.payload) this.store.putPayload(record.payload, this.#now());
    if (record.drops) this.store.dropPayloads(record.drops);
    return undefined;
  }

  #writeEntry(operation: Operation, entry: Entry): LogError | undefined | "stuck" {
    const { payload } = operation.record;
    const write = () => this.store.write(entry, payload, this.#now());
    const fate = this.#fate(entry);
    switch (fate) {
      case "written":
        write();
        return undefined;
      case "twice":
        write();
        write();
        return undefined;
      case "refused":
        return new LogError("unavailable", "it was refused");
      case "lost":
        return unknown("it was lost");
      case "unacknowledged":
        write();
        return unknown("its acknowledgement was lost");
      case "stuck":
        if (this.#closing) return unknown("it was stuck");
        this.#stuck.push(operation);
        return "stuck";
      default:
        this.store.delay(entry, payload, fate.late);
        return unknown("it is late");
    }
  }

  #end({ bytes, ended }: Operation, error: LogError | undefined): void {
    ended(error);
    this.#pending.leave(bytes);
  }

  #demandOpen(): void {
    const refusal = this.#refusal();
    if (refusal) throw refusal;
  }

  #refusal(): LogError | undefined {
    return this.#closing && new LogError("closed", "the log was closed");
  }
}

function unknown(why: string): LogError {
  return new LogError("unavailable", why, { outcome: "unknown" });
}
