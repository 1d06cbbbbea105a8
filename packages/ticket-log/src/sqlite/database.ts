// Opens the database: takes it for this process alone, sees that it has a schema that is known, makes it of
// an empty file.

import { DatabaseSync } from "node:sqlite";
import { StoreError } from "./errors.ts";

/** What a database holds. */
export interface Schema {
  /** For errors, such as "an Usher log". */
  readonly what: string;
  /** Marks a database as one of these. */
  readonly application_id: number;
  /** A database of a newer one is refused; of an older one: migrated here, once there is one. */
  readonly version: number;
  /** What makes the tables. */
  readonly tables: string;
}

/** The database's file, and how large it may grow, in bytes; absent: as large as the disk. */
export interface DatabaseFile {
  readonly file: string;
  readonly file_bytes_max?: number | undefined;
}

/** Throws a `StoreError` for a database of another schema, or SQLite's own error. `synchronous`: FULL
 * flushes each commit to the disk; NORMAL lets a power loss take the last ones, whole. */
export function openDatabase(
  { file, file_bytes_max }: DatabaseFile,
  schema: Schema,
  synchronous: "FULL" | "NORMAL" = "FULL",
): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    // Before anything is read: from then on the lock is kept until the database is closed, or the process is gone.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    const empty = identify(database, file, schema);
    if (pragma(database, "journal_mode = WAL") !== "wal") {
      throw new Error("the file system cannot hold a write-ahead log");
    }
    // The WAL is flushed before a commit ends, down to the drive (which on macOS has to be asked for).
    database.exec(
      `PRAGMA synchronous = ${synchronous}; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON`,
    );
    // A WAL that one large payload made long is cut again.
    database.exec(`PRAGMA journal_size_limit = ${16 * 1024 * 1024}`);
    if (file_bytes_max !== undefined) {
      const pages = Math.floor(file_bytes_max / Number(pragma(database, "page_size")));
      database.exec(`PRAGMA max_page_count = ${pages}`);
    }
    // Also takes the lock where the database was there already.
    database.exec(`BEGIN EXCLUSIVE; ${empty ? creation(schema) : ""} COMMIT`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether the database is empty. Changes nothing, so that a foreign one is left as it is. */
function identify(database: DatabaseSync, file: string, schema: Schema): boolean {
  const application = pragma(database, "application_id");
  const version = Number(pragma(database, "user_version"));
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()!;
  if (application === 0 && version === 0 && tables === 0) return true;
  if (application !== schema.application_id) {
    throw new StoreError(`${file} is a database, but not ${schema.what}. Name another directory`);
  }
  if (version > schema.version) {
    throw new StoreError(
      `${file} was written by a newer Usher (schema ${version}; this one knows ${schema.version}). Run that one`,
    );
  }
  return false;
}

function creation({ application_id, version, tables }: Schema): string {
  return `${tables} PRAGMA application_id = ${application_id}; PRAGMA user_version = ${version};`;
}

function pragma(database: DatabaseSync, text: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${text}`).get() ?? {})[0];
}
