// What the main thread and the log's worker (`worker.ts`) say to each other. Requests are handled one after the other,
// in the order sent, and answered in that order: the hand-over of followers rests on it.

import type { Offset, PayloadKey } from "../log.ts";
import type { Fault } from "./errors.ts";
import type { Program, Thread } from "./thread.ts";

/** What the worker is started with. */
export interface Settings {
  /** The database's file. */
  readonly file: string;
  /** The largest that the file may grow to, in bytes; absent: as large as the disk. */
  readonly file_bytes_max?: number | undefined;
}

export interface LogRequests {
  /** Commits a packed batch (`batch.ts`) in one transaction. */
  write: {
    readonly request: { readonly batch: Uint8Array<ArrayBuffer>; readonly now_ms: number };
    readonly answer: {
      /** The offset of the batch's first entry; the others follow by one. */
      readonly first: Offset;
      /** There was no room: only what the batch drops was written, none of the rest. */
      readonly full?: Fault;
    };
  };
  /** Forgets some of the payloads stored before a time. */
  expire: {
    readonly request: { readonly before_ms: number };
    /** Whether there may be more to forget. */
    readonly answer: { readonly more: boolean };
  };
  /** Reads on from an offset that is below the end. */
  read: {
    readonly request: { readonly from: Offset };
    /** A packed batch, at least one entry. */
    readonly answer: { readonly batch: Uint8Array<ArrayBuffer> };
  };
  payload: {
    readonly request: { readonly key: PayloadKey };
    readonly answer: { readonly bytes: Uint8Array<ArrayBuffer> | undefined };
  };
}

export interface Opened {
  readonly end: Offset;
}

export type LogThread = Thread<LogRequests, Opened>;

export const LOG_PROGRAM: Program<LogRequests> = {
  url: new URL("./worker.ts", import.meta.url),
  name: "usher-log",
  changes: new Set(["write", "expire"] as const),
};
