// What outlives a log that is closed, or whose process is killed: the entries and payloads, and what is late. On one
// store, one log at a time is open, or any number on a shared one.

import {
  type Entry,
  LogError,
  type Offset,
  type Payload,
  type PayloadKey,
  type StoredEntry,
  type TicketKey,
} from "../log.ts";

interface StoredPayload {
  readonly bytes: Uint8Array;
  readonly stored_ms: number;
}

interface Late {
  readonly entry: Entry;
  readonly payload: Payload | undefined;
  /** Entries that are to be written before it. */
  ahead: number;
}

/** A log that is open on the store. */
export interface StoreListener {
  /** There is more to read. */
  written(): void;
}

/** Numbers the entries from 0, without gaps. */
export class MemoryStore {
  #entries: StoredEntry[] = [];
  /** By ticket, then by attempt. */
  #payloads = new Map<string, Map<number, StoredPayload>>();
  #late: Late[] = [];
  readonly #open = new Set<StoreListener>();
  /** Whether several logs, as of several processes, may be open on it at once. */
  readonly shared: boolean;

  constructor({ shared = false }: { readonly shared?: boolean } = {}) {
    this.shared = shared;
  }

  get end(): Offset {
    return this.#entries.length;
  }

  /** Tells the listener of what is written until it is closed. Throws "in_use" while a log is open on a store that is
   * not shared. */
  open(listener: StoreListener): void {
    if (!this.shared && this.#open.size > 0)
      throw new LogError("in_use", "a log is open on this store already");
    this.#open.add(listener);
  }

  close(listener: StoreListener): void {
    this.#open.delete(listener);
  }

  /** The store as it is now, with no log open on it. */
  copy(): MemoryStore {
    const copy = new MemoryStore({ shared: this.shared });
    copy.#entries = [...this.#entries];
    copy.#payloads = new Map([...this.#payloads].map(([ticket, attempts]) => [ticket, new Map(attempts)]));
    copy.#late = this.#late.map((late) => ({ ...late }));
    return copy;
  }

  read(from: Offset, count: number): readonly StoredEntry[] {
    return this.#entries.slice(from, from + count);
  }

  /** Writes an entry, and those late ones for which it was the last to wait for. */
  write(entry: Entry, payload: Payload | undefined, now_ms: number): void {
    this.#append(entry, payload, now_ms);
    for (const late of this.#late) late.ahead--;
    const due = this.#late.filter(({ ahead }) => ahead <= 0);
    if (due.length > 0) this.#late = this.#late.filter(({ ahead }) => ahead > 0);
    for (const late of due) this.#append(late.entry, late.payload, now_ms);
    for (const listener of this.#open) listener.written();
  }

  /** Keeps an entry back until so many others are written. */
  delay(entry: Entry, payload: Payload | undefined, ahead: number): void {
    this.#late.push({ entry, payload, ahead });
  }

  putPayload({ key, bytes }: Payload, now_ms: number): void {
    const ticket = ticketName(key);
    const attempts = this.#payloads.get(ticket) ?? new Map<number, StoredPayload>();
    attempts.set(key.attempt, { bytes: new Uint8Array(bytes), stored_ms: now_ms });
    this.#payloads.set(ticket, attempts);
  }

  payload(key: PayloadKey): Uint8Array | undefined {
    const stored = this.#payloads.get(ticketName(key))?.get(key.attempt);
    return stored && new Uint8Array(stored.bytes);
  }

  /** How many payloads are kept, of all tickets and attempts. */
  get payloads(): number {
    let count = 0;
    for (const attempts of this.#payloads.values()) count += attempts.size;
    return count;
  }

  dropPayloads(keys: readonly TicketKey[]): void {
    for (const key of keys) this.#payloads.delete(ticketName(key));
  }

  /** Forgets payloads stored before a time. */
  expire(before_ms: number): void {
    for (const [ticket, attempts] of this.#payloads) {
      for (const [attempt, { stored_ms }] of attempts) if (stored_ms < before_ms) attempts.delete(attempt);
      if (attempts.size === 0) this.#payloads.delete(ticket);
    }
  }

  #append({ value, ...entry }: Entry, payload: Payload | undefined, now_ms: number): void {
    if (payload) this.putPayload(payload, now_ms);
    this.#entries.push({ ...entry, value: new Uint8Array(value), offset: this.#entries.length });
  }
}

function ticketName({ session, sequence }: TicketKey): string {
  return `${session}/${sequence}`;
}
