// What the main thread and the spool's worker (`worker.ts`) say to each other.

import type { Offset, PayloadKey, TicketKey } from "../../log.ts";
import type { Program } from "../../sqlite/thread.ts";

/** What the worker is started with. */
export interface SpoolSettings {
  /** The database's file. */
  readonly file: string;
  /** How many bytes of payloads it keeps. */
  readonly bytes_max: number;
}

/** A part of a payload (`PayloadPart`), without its bytes, which are in one block with the others'. */
export interface PartHead {
  readonly offset: Offset;
  readonly key: PayloadKey;
  readonly stored_ms: number;
  readonly put: string;
  readonly part: number;
  readonly parts: number;
  readonly length: number;
}

export interface SpoolRequests {
  /** Keeps what was followed, and how far, in one transaction; the oldest go where there is no room. */
  take: {
    readonly request: {
      readonly heads: readonly PartHead[];
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly next: Offset;
      readonly before: Uint8Array | undefined;
    };
    readonly answer: Record<never, never>;
  };
  payload: {
    readonly request: { readonly key: PayloadKey };
    readonly answer: { readonly bytes: Uint8Array<ArrayBuffer> | undefined };
  };
  drop: { readonly request: { readonly keys: readonly TicketKey[] }; readonly answer: Record<never, never> };
  /** Forgets some of the payloads stored before a time. */
  expire: {
    readonly request: { readonly before_ms: number };
    /** Whether there may be more to forget. */
    readonly answer: { readonly more: boolean };
  };
  /** Remembers which log this is by its first record. */
  identify: { readonly request: { readonly first: Uint8Array }; readonly answer: Record<never, never> };
}

export interface SpoolOpened {
  /** How far the topic of the payloads was followed; absent: not at all. */
  readonly next: Offset | undefined;
  /** The record before that. */
  readonly before: Uint8Array | undefined;
  /** The log's first record; absent: not known yet. */
  readonly first: Uint8Array | undefined;
}

export const SPOOL_PROGRAM: Program<SpoolRequests> = {
  url: new URL("./worker.ts", import.meta.url),
  name: "usher-spool",
  changes: new Set(["take", "drop", "expire", "identify"] as const),
};
