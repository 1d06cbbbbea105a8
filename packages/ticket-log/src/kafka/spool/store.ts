// The spool in its database: what the worker does, one call after the other. A payload is there when all parts of one
// put are. All of it can be had again from Kafka, as long as that keeps it.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PayloadKey, TicketKey } from "../../log.ts";
import type { Schema } from "../../sqlite/database.ts";
import { CommitError, isUnfitRow } from "../../sqlite/errors.ts";
import type { PartHead, SpoolOpened, SpoolRequests } from "./messages.ts";

/** Payloads forgotten in one transaction when they go by age. Large ones take a while each. */
const EXPIRE_ROWS = 100;

export const SCHEMA: Schema = {
  what: "an Usher spool",
  application_id: 0x55736870, // "Ushp"
  version: 1,
  tables: `
    CREATE TABLE parts (
      at INTEGER PRIMARY KEY,
      session INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      put TEXT NOT NULL,
      part INTEGER NOT NULL,
      parts INTEGER NOT NULL,
      stored_ms INTEGER NOT NULL,
      size INTEGER NOT NULL,
      bytes BLOB NOT NULL
    ) STRICT;
    CREATE INDEX parts_by_key ON parts (session, sequence, attempt);
    CREATE INDEX parts_by_age ON parts (stored_ms);
    CREATE TABLE state (name TEXT PRIMARY KEY, number INTEGER, bytes BLOB) STRICT;
  `,
};

export class SpoolStore {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #bytes_max: number;
  #bytes: number;

  constructor(database: DatabaseSync, bytes_max: number) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#bytes_max = bytes_max;
    this.#bytes = Number(database.prepare("SELECT sum(size) AS size FROM parts").get()?.size ?? 0);
  }

  get opened(): SpoolOpened {
    const { state } = this.#statements;
    const followed = state.get("followed");
    return {
      next: typeof followed?.number === "number" ? followed.number : undefined,
      before: bytesIn(followed),
      first: bytesIn(state.get("first")),
    };
  }

  take({ heads, bytes, next, before }: SpoolRequests["take"]["request"]): void {
    const { setState } = this.#statements;
    let kept = this.#bytes;
    this.#transact(() => {
      let at = 0;
      for (const head of heads) {
        kept += this.#put(head, bytes.subarray(at, at + head.length));
        at += head.length;
      }
      while (kept > this.#bytes_max) {
        const gone = this.#statements.dropOldest.get();
        if (gone === undefined) break;
        kept -= Number(gone.size);
      }
      setState.run("followed", next, before ?? null);
    });
    this.#bytes = kept;
  }

  payload({ session, sequence, attempt }: PayloadKey): Uint8Array<ArrayBuffer> | undefined {
    const rows = this.#statements.partsOf.all(signed(session), sequence, attempt);
    // The newest put of which all is there.
    for (const last of rows.toReversed()) {
      if (last.part !== last.parts) continue;
      if (last.parts === 1) return joined([last]);
      const put = rows.filter(({ put }) => put === last.put);
      if (put.length === last.parts) return joined(put);
    }
    return undefined;
  }

  drop(keys: readonly TicketKey[]): void {
    let freed = 0;
    this.#transact(() => {
      for (const { session, sequence } of keys)
        freed += sizes(this.#statements.dropTicket.all(signed(session), sequence));
    });
    this.#bytes -= freed;
  }

  /** Forgets some payloads stored before a time. False: there are no more. */
  expire(before_ms: number): boolean {
    let gone: readonly Row[] = [];
    this.#transact(() => {
      gone = this.#statements.expire.all(before_ms, EXPIRE_ROWS);
    });
    this.#bytes -= sizes(gone);
    return gone.length === EXPIRE_ROWS;
  }

  identify(first: Uint8Array): void {
    this.#transact(() => this.#statements.setState.run("first", null, first));
  }

  close(): void {
    this.#database.close();
  }

  /** Returns how many bytes more there are. What no table takes is a stranger's, and passed over: failing would end this
   * node, and again at every start, for the same record would come again. */
  #put({ offset, key, put, part, parts, stored_ms, length }: PartHead, bytes: Uint8Array): number {
    const { session, sequence, attempt } = key;
    const name = [signed(session), sequence, attempt] as const;
    try {
      this.#statements.put.run(offset, ...name, put, part, parts, stored_ms, length, bytes);
    } catch (error) {
      if (isUnfitRow(error)) return 0;
      throw error;
    }
    // What it replaces goes when it is whole.
    if (part < parts) return length;
    if (parts > 1 && this.#statements.countOf.get(...name, put)?.count !== parts) return length;
    return length - sizes(this.#statements.dropReplaced.all(...name, offset, parts === 1 ? null : put));
  }

  #transact(change: () => void): void {
    const database = this.#database;
    database.exec("BEGIN");
    try {
      change();
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
    try {
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw new CommitError("the commit failed", { cause: error });
    }
  }
}

function prepare(database: DatabaseSync) {
  const key = "session = ? AND sequence = ? AND attempt = ?";
  return {
    put: database.prepare("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    partsOf: database.prepare(`SELECT put, part, parts, bytes FROM parts WHERE ${key} ORDER BY at`),
    countOf: database.prepare(`SELECT count(*) AS count FROM parts WHERE ${key} AND put = ?`),
    dropReplaced: database.prepare(
      `DELETE FROM parts WHERE ${key} AND at < ? AND put IS NOT ? RETURNING size`,
    ),
    dropTicket: database.prepare("DELETE FROM parts WHERE session = ? AND sequence = ? RETURNING size"),
    dropOldest: database.prepare("DELETE FROM parts WHERE at = (SELECT min(at) FROM parts) RETURNING size"),
    expire: database.prepare(
      "DELETE FROM parts WHERE at IN (SELECT at FROM parts WHERE stored_ms < ? LIMIT ?) RETURNING size",
    ),
    state: database.prepare("SELECT number, bytes FROM state WHERE name = ?"),
    setState: database.prepare("INSERT OR REPLACE INTO state VALUES (?, ?, ?)"),
  } satisfies Record<string, StatementSync>;
}

type Row = ReturnType<StatementSync["all"]>[number];

function sizes(rows: readonly Row[]): number {
  return rows.reduce((sum, { size }) => sum + Number(size), 0);
}

function bytesIn(row: Row | undefined): Uint8Array | undefined {
  return row?.bytes instanceof Uint8Array ? row.bytes : undefined;
}

function joined(rows: readonly Row[]): Uint8Array<ArrayBuffer> {
  const parts = rows.map((row) => bytesIn(row) ?? new Uint8Array());
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** SQLite's integers are signed; sessions are not. */
function signed(session: bigint): bigint {
  return BigInt.asIntN(64, session);
}
