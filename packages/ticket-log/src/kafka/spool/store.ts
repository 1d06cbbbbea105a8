// The spool in its database: what the worker does, one call after the other. A payload is there when all parts of one
// put are. All of it can be had again from Kafka, as long as that keeps it: so where there is no room for a part's bytes,
// its place in the topic is kept alone, as a row whose `bytes` are fewer than its `size`.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PayloadKey, TicketKey } from "../../log.ts";
import type { Schema } from "../../sqlite/database.ts";
import { CommitError, isUnfitRow } from "../../sqlite/errors.ts";
import { joined } from "./joined.ts";
import type { PartHead, Place, SpoolOpened, SpoolRequests } from "./messages.ts";

/** Payloads forgotten in one transaction when they go by age. Large ones take a while each. */
const EXPIRE_ROWS = 100;

/** How many places it keeps without their bytes: twice as many as tickets wait in a queue by default, in about a quarter
 * of a GiB. Beyond it the oldest are forgotten. */
const PLACES_MAX = 2_000_000;

/** At which part of its room it counts as full no more. */
const ROOM_AGAIN = 0.8;

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

const KEPT_ANSWERS = "attempt > 0 AND length(bytes) > 0";
const KEPT_REQUESTS = "attempt = 0 AND length(bytes) > 0";
const PLACES = "size > length(bytes)";

/** Find what goes next. A spool that was made by an older Usher has none of them. */
const INDEXES = `
  CREATE INDEX IF NOT EXISTS kept_answers ON parts (at) WHERE ${KEPT_ANSWERS};
  CREATE INDEX IF NOT EXISTS kept_requests ON parts (at) WHERE ${KEPT_REQUESTS};
  CREATE INDEX IF NOT EXISTS places ON parts (at) WHERE ${PLACES};
`;

export interface SpoolBounds {
  /** Bytes of payloads. */
  readonly bytes_max: number;
  /** Places without their bytes; 2,000,000. */
  readonly places_max?: number;
}

export class SpoolStore {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #bounds: Required<SpoolBounds>;
  #bytes = 0;
  #places = 0;
  /** The highest offset that there may be a row for. */
  #last: number;
  #full = false;

  constructor(database: DatabaseSync, { bytes_max, places_max = PLACES_MAX }: SpoolBounds) {
    this.#database = database;
    this.#bounds = { bytes_max, places_max };
    database.exec(INDEXES);
    this.#statements = prepare(database);
    this.#last = Number(this.#statements.last.get()?.at ?? -1);
    this.#count();
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

  /** Whether bytes had to go; until there is room again. */
  get full(): boolean {
    this.#full &&= this.#bytes > this.#bounds.bytes_max * ROOM_AGAIN;
    return this.#full;
  }

  take({ heads, bytes, next, before }: SpoolRequests["take"]["request"]): void {
    const { bytes_max, places_max } = this.#bounds;
    this.#transact(() => {
      let at = 0;
      for (const head of heads) {
        this.#put(head, bytes.subarray(at, at + head.length));
        at += head.length;
      }
      while (this.#bytes > bytes_max && this.#evict()) this.#full = true;
      for (let more = this.#places - places_max; more > 0; more--)
        this.#gone(this.#statements.dropOldestPlace.all());
      this.#statements.setState.run("followed", next, before ?? null);
    });
  }

  payload(key: PayloadKey): SpoolRequests["payload"]["answer"] {
    const { session, sequence, attempt } = key;
    const rows = this.#statements.partsOf.all(signed(session), sequence, attempt);
    // The newest put of which all is there.
    for (const last of rows.toReversed()) {
      if (last.part !== last.parts) continue;
      const parts = last.parts === 1 ? [last] : rows.filter(({ put }) => put === last.put);
      if (parts.length !== last.parts) continue;
      return parts.some(isPlace)
        ? { places: parts.map((row) => placeOf(key, row)) }
        : { bytes: bytesOf(parts) };
    }
    return {};
  }

  drop(keys: readonly TicketKey[]): void {
    this.#transact(() => {
      for (const { session, sequence } of keys)
        this.#gone(this.#statements.dropTicket.all(signed(session), sequence));
    });
  }

  /** Forgets some payloads stored before a time. False: there are no more. */
  expire(before_ms: number): boolean {
    let gone: readonly Row[] = [];
    this.#transact(() => {
      gone = this.#statements.expire.all(before_ms, EXPIRE_ROWS);
      this.#gone(gone);
    });
    return gone.length === EXPIRE_ROWS;
  }

  forgetPlaces(): void {
    this.#transact(() => this.#statements.dropPlaces.run());
    this.#count();
  }

  identify(first: Uint8Array): void {
    this.#transact(() => this.#statements.setState.run("first", null, first));
  }

  close(): void {
    this.#database.close();
  }

  /** What no table takes is a stranger's, and passed over: failing would end this node, and again at every start, for
   * the same record would come again. */
  #put({ offset, key, put, part, parts, stored_ms, length }: PartHead, bytes: Uint8Array): void {
    const { session, sequence, attempt } = key;
    const name = [signed(session), sequence, attempt] as const;
    // What was taken before is taken again where the topic is followed anew.
    if (offset <= this.#last) this.#gone(this.#statements.dropAt.all(offset));
    this.#last = Math.max(this.#last, offset);
    try {
      this.#statements.put.run(offset, ...name, put, part, parts, stored_ms, length, bytes);
    } catch (error) {
      if (isUnfitRow(error)) return;
      throw error;
    }
    this.#bytes += length;
    // What it replaces goes when it is whole.
    if (part < parts) return;
    if (parts > 1 && this.#statements.countOf.get(...name, put)?.count !== parts) return;
    this.#gone(this.#statements.dropReplaced.all(...name, offset, parts === 1 ? null : put));
  }

  /** Lets some bytes go, and keeps their places. First those of the ticket with the oldest answer: who wants it has most
   * likely come. Then those of the newest request: it is sent last. False: there are none. */
  #evict(): boolean {
    const { oldestAnswer, evictTicket, evictNewest } = this.#statements;
    const answered = oldestAnswer.get();
    const gone = answered === undefined ? evictNewest.all() : evictTicket.all(Number(answered.at));
    this.#bytes -= gone.reduce((sum, { size }) => sum + Number(size), 0);
    this.#places += gone.length;
    return gone.length > 0;
  }

  /** Counts out what was deleted. */
  #gone(rows: readonly Row[]): void {
    for (const row of rows) {
      this.#bytes -= Number(row.held);
      if (isPlace(row)) this.#places--;
    }
  }

  #count(): void {
    this.#bytes = Number(this.#statements.countBytes.get()?.held ?? 0);
    this.#places = Number(this.#statements.countPlaces.get()?.count ?? 0);
  }

  #transact(change: () => void): void {
    const database = this.#database;
    const [bytes, places] = [this.#bytes, this.#places];
    const undo = () => {
      if (database.isTransaction) database.exec("ROLLBACK");
      [this.#bytes, this.#places] = [bytes, places];
    };
    database.exec("BEGIN");
    try {
      change();
    } catch (error) {
      undo();
      throw error;
    }
    try {
      database.exec("COMMIT");
    } catch (error) {
      undo();
      throw new CommitError("the commit failed", { cause: error });
    }
  }
}

function prepare(database: DatabaseSync) {
  const key = "session = ? AND sequence = ? AND attempt = ?";
  const held = "length(bytes) AS held, size";
  const evict = "UPDATE parts SET bytes = x''";
  return {
    put: database.prepare("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    partsOf: database.prepare(
      `SELECT at, put, part, parts, bytes, ${held} FROM parts WHERE ${key} ORDER BY at`,
    ),
    last: database.prepare("SELECT max(at) AS at FROM parts"),
    countOf: database.prepare(`SELECT count(*) AS count FROM parts WHERE ${key} AND put = ?`),
    countBytes: database.prepare("SELECT sum(length(bytes)) AS held FROM parts"),
    countPlaces: database.prepare(`SELECT count(*) AS count FROM parts WHERE ${PLACES}`),
    dropAt: database.prepare(`DELETE FROM parts WHERE at = ? RETURNING ${held}`),
    dropReplaced: database.prepare(
      `DELETE FROM parts WHERE ${key} AND at < ? AND put IS NOT ? RETURNING ${held}`,
    ),
    dropTicket: database.prepare(`DELETE FROM parts WHERE session = ? AND sequence = ? RETURNING ${held}`),
    dropPlaces: database.prepare(`DELETE FROM parts WHERE ${PLACES}`),
    dropOldestPlace: database.prepare(
      `DELETE FROM parts WHERE at = (SELECT min(at) FROM parts WHERE ${PLACES}) RETURNING ${held}`,
    ),
    expire: database.prepare(
      `DELETE FROM parts WHERE at IN (SELECT at FROM parts WHERE stored_ms < ? LIMIT ?) RETURNING ${held}`,
    ),
    oldestAnswer: database.prepare(`SELECT at FROM parts WHERE ${KEPT_ANSWERS} ORDER BY at LIMIT 1`),
    evictTicket: database.prepare(
      `${evict} WHERE (session, sequence) = (SELECT session, sequence FROM parts WHERE at = ?)
       AND length(bytes) > 0 RETURNING size`,
    ),
    evictNewest: database.prepare(
      `${evict} WHERE at = (SELECT max(at) FROM parts WHERE ${KEPT_REQUESTS}) RETURNING size`,
    ),
    state: database.prepare("SELECT number, bytes FROM state WHERE name = ?"),
    setState: database.prepare("INSERT OR REPLACE INTO state VALUES (?, ?, ?)"),
  } satisfies Record<string, StatementSync>;
}

type Row = ReturnType<StatementSync["all"]>[number];

function isPlace({ held, size }: Row): boolean {
  return Number(held) < Number(size);
}

function placeOf(key: PayloadKey, { at, put, part }: Row): Place {
  return { offset: Number(at), key, put: String(put), part: Number(part) };
}

function bytesOf(rows: readonly Row[]): Uint8Array<ArrayBuffer> {
  return joined(rows.map((row) => bytesIn(row) ?? new Uint8Array()));
}

function bytesIn(row: Row | undefined): Uint8Array | undefined {
  return row?.bytes instanceof Uint8Array ? row.bytes : undefined;
}

/** SQLite's integers are signed; sessions are not. */
function signed(session: bigint): bigint {
  return BigInt.asIntN(64, session);
}
