// The log's tables.

import type { Schema } from "./database.ts";

export const SCHEMA: Schema = {
  what: "an Usher log",
  application_id: 0x55736872, // "Ushr"
  version: 1,
  tables: `
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
  `,
};
