// The log in the database: what the worker does, one call after the other.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type BatchRecord, pack, packedBytes, unpack } from "../batch.ts";
import { READ } from "../limits.ts";
import type { Offset, PayloadKey, TicketKey } from "../log.ts";
import { CommitError, StoreError } from "./errors.ts";

/** Payloads forgotten in one transaction when they go by age. Large ones take a while each. */
const EXPIRE_ROWS = 100;

/** Numbers the entries from 0, without gaps. */
export class Store {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  #end: Offset;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
    const { last } = database.prepare('SELECT max("offset") AS last FROM entries').get()!;
    this.#end = last === null ? 0 : Number(last) + 1;
  }

  get end(): Offset {
    return this.#end;
  }

  /** Commits a packed batch, and returns its first entry's offset. */
  write(batch: Uint8Array<ArrayBuffer>, now_ms: number): Offset {
    const { putEntry, putPayload } = this.#statements;
    const first = this.#end;
    let next = first;
    this.#transact(() => {
      for (const { entry, payload, drops } of unpack(batch)) {
        if (payload) {
          const { session, sequence, attempt } = payload.key;
          putPayload.run(signed(session), sequence, attempt, now_ms, payload.bytes);
        }
        if (entry) putEntry.run(next++, entry.key, entry.value, entry.headers ?? null);
        if (drops) this.#drop(drops);
      }
    });
    this.#end = next;
    return first;
  }

  /** Commits only what a packed batch drops. False: it drops nothing. */
  writeDrops(batch: Uint8Array<ArrayBuffer>): boolean {
    const drops = unpack(batch).flatMap((record) => record.drops ?? []);
    this.#transact(() => this.#drop(drops));
    return drops.length > 0;
  }

  /** Packs the entries from `from` on: at least one, for `from` is below the end. */
  read(from: Offset): Uint8Array<ArrayBuffer> {
    const records: BatchRecord[] = [];
    let bytes = 0;
    for (const row of this.#statements.entries.iterate(from, READ.records)) {
      if (row.offset !== from + records.length) break;
      const record = { entry: entryOf(row) };
      records.push(record);
      bytes += packedBytes(record);
      if (bytes >= READ.bytes) break;
    }
    if (records.length === 0)
      throw new StoreError(`entry ${from} of ${this.#end} is missing: the log is damaged`);
    return pack(records);
  }

  payload({ session, sequence, attempt }: PayloadKey): Uint8Array<ArrayBuffer> | undefined {
    const row = this.#statements.payload.get(signed(session), sequence, attempt);
    return row && bytesOf(row.bytes);
  }

  /** Forgets some payloads stored before a time. False: there are no more. */
  expire(before_ms: number): boolean {
    let gone = 0;
    this.#transact(() => {
      gone = Number(this.#statements.expirePayloads.run(before_ms, EXPIRE_ROWS).changes);
    });
    return gone === EXPIRE_ROWS;
  }

  close(): void {
    this.#database.close();
  }

  #drop(keys: readonly TicketKey[]): void {
    for (const { session, sequence } of keys) this.#statements.dropPayload.run(signed(session), sequence);
  }

  #transact(change: () => void): void {
    const database = this.#database;
    database.exec("BEGIN");
    try {
      change();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    try {
      database.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      throw new CommitError("the commit failed", { cause: error });
    }
  }

  /** SQLite has rolled back by itself after some errors, and an explicit one would fail. */
  #rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
  }
}

function prepare(database: DatabaseSync) {
  return {
    putEntry: database.prepare("INSERT INTO entries VALUES (?, ?, ?, ?)"),
    putPayload: database.prepare("INSERT OR REPLACE INTO payloads VALUES (?, ?, ?, ?, ?)"),
    entries: database.prepare('SELECT * FROM entries WHERE "offset" >= ? ORDER BY "offset" LIMIT ?'),
    payload: database.prepare(
      "SELECT bytes FROM payloads WHERE session = ? AND sequence = ? AND attempt = ?",
    ),
    dropPayload: database.prepare("DELETE FROM payloads WHERE session = ? AND sequence = ?"),
    expirePayloads: database.prepare(
      "DELETE FROM payloads WHERE rowid IN (SELECT rowid FROM payloads WHERE stored_ms < ? LIMIT ?)",
    ),
  } satisfies Record<string, StatementSync>;
}

type Row = ReturnType<StatementSync["all"]>[number];

function entryOf(row: Row) {
  const { key, value, headers } = row;
  if (typeof key !== "string") throw new StoreError(`entry ${row.offset} has no key: the log is damaged`);
  return { key, value: bytesOf(value), headers: typeof headers === "string" ? headers : undefined };
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer)
    return value as Uint8Array<ArrayBuffer>;
  throw new StoreError("bytes are missing: the log is damaged");
}

/** SQLite's integers are signed; sessions are not. */
function signed(session: bigint): bigint {
  return BigInt.asIntN(64, session);
}
