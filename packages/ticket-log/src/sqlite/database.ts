// Opens the database: takes it for this process alone, sees that it is an Usher log of a schema that is known, makes
// one of an empty file.

import { DatabaseSync } from "node:sqlite";
import { StoreError } from "./errors.ts";
import type { Settings } from "./messages.ts";

/** Marks a database as an Usher log: "Ushr". */
const APPLICATION_ID = 0x55736872;

/** The schema's version. A database of a newer one is refused; of an older one: migrated here, once there is one. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE entries (
    "offset" INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    headers TEXT
  ) STRICT;
  CREATE TABLE payloads (
    session INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (session, sequence, attempt)
  ) STRICT;
  CREATE INDEX payloads_by_age ON payloads (stored_ms);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Throws a `StoreError` for a database that is not an Usher log, or SQLite's own error. */
export function openDatabase({ file, file_bytes_max }: Settings): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    // Before anything is read: from then on the lock is kept until the database is closed, or the process is gone.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    const empty = identify(database, file);
    if (pragma(database, "journal_mode = WAL") !== "wal") {
      throw new Error("the file system cannot hold a write-ahead log");
    }
    // The WAL is flushed before a commit ends, down to the drive (which on macOS has to be asked for).
    database.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
    // A WAL that one large payload made long is cut again.
    database.exec(`PRAGMA journal_size_limit = ${16 * 1024 * 1024}`);
    if (file_bytes_max !== undefined) {
      const pages = Math.floor(file_bytes_max / Number(pragma(database, "page_size")));
      database.exec(`PRAGMA max_page_count = ${pages}`);
    }
    // Also takes the lock where the database was there already.
    database.exec(`BEGIN EXCLUSIVE; ${empty ? SCHEMA : ""} COMMIT`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Whether the database is empty. Changes nothing, so that a foreign one is left as it is. */
function identify(database: DatabaseSync, file: string): boolean {
  const application = pragma(database, "application_id");
  const version = Number(pragma(database, "user_version"));
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()!;
  if (application === 0 && version === 0 && tables === 0) return true;
  if (application !== APPLICATION_ID) {
    throw new StoreError(`${file} is a database, but not an Usher log. Name another directory`);
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      `${file} was written by a newer Usher (schema ${version}; this one knows ${SCHEMA_VERSION}). Run that one`,
    );
  }
  return false;
}

function pragma(database: DatabaseSync, text: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${text}`).get() ?? {})[0];
}
