// What the main thread (`thread.ts`) and the worker (`worker.ts`) say to each other. Requests are handled one after
// the other, in the order sent, and answered in that order: the hand-over of followers rests on it.

import type { LogErrorCode, Offset, PayloadKey } from "../log.ts";

/** What the worker is started with. */
export interface Settings {
  /** The database's file. */
  readonly file: string;
  /** The largest that the file may grow to, in bytes; absent: as large as the disk. */
  readonly file_bytes_max?: number | undefined;
}

/** What can be asked, by kind. */
export interface Requests {
  /** Commits a packed batch (`batch.ts`) in one transaction. */
  write: { readonly batch: Uint8Array<ArrayBuffer>; readonly now_ms: number };
  /** Forgets some of the payloads stored before a time. */
  expire: { readonly before_ms: number };
  /** Reads on from an offset that is below the end. */
  read: { readonly from: Offset };
  payload: { readonly key: PayloadKey };
  /** Closes the database and ends the worker. Its end is the answer. */
  close: Record<never, never>;
}

/** What is answered, by kind. */
export interface Answers {
  write: {
    /** The offset of the batch's first entry; the others follow by one. */
    readonly first: Offset;
    /** There was no room: only what the batch drops was written, none of the rest. */
    readonly full?: Fault;
  };
  /** Whether there may be more to forget. */
  expire: { readonly more: boolean };
  /** A packed batch, at least one entry. */
  read: { readonly batch: Uint8Array<ArrayBuffer> };
  payload: { readonly bytes: Uint8Array<ArrayBuffer> | undefined };
  close: never;
}

export type Kind = keyof Requests;

/** The kinds that change the store: where no answer comes, nobody knows whether they did. */
export const CHANGES: ReadonlySet<Kind> = new Set<Kind>(["write", "expire"]);

export type Request = { [K in Kind]: { readonly id: number; readonly kind: K } & Requests[K] }[Kind];

/** A `LogError` in a form that passes between threads. */
export interface Fault {
  readonly code: LogErrorCode;
  readonly message: string;
  readonly outcome: "refused" | "unknown";
  /** The store cannot be used any more; the worker ends after this. */
  readonly fatal: boolean;
}

export type Reply =
  | { readonly opened: true; readonly end: Offset }
  | { readonly id: number; readonly answer: Answers[Kind] }
  | { readonly id: number; readonly fault: Fault }
  /** Opening failed. */
  | { readonly fault: Fault };
