// What the main thread and the spool's worker (`worker.ts`) say to each other.

import type { Offset, PayloadKey, TicketKey } from "../../log.ts";
import type { Program } from "../../sqlite/thread.ts";

/** What the worker is started with. */
export interface SpoolSettings {
  /** The database's file. */
  readonly file: string;
  /** How many bytes of payloads it keeps; of others their places. */
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

/** Where a part of a payload is in the topic. */
export type Place = Pick<PartHead, "offset" | "key" | "put" | "part">;

/** Whether there is no room for all bytes: of some their place alone is kept. */
export interface Room {
  readonly full: boolean;
}

export interface SpoolRequests {
  /** Keeps what was followed, and how far, in one transaction; of some only the place where there is no room. */
  take: {
    readonly request: {
      readonly heads: readonly PartHead[];
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly next: Offset;
      readonly before: Uint8Array | undefined;
    };
    readonly answer: Room;
  };
  payload: {
    readonly request: { readonly key: PayloadKey };
    /** Neither, if it is not here: its bytes, or the places of all its parts. */
    readonly answer: { readonly bytes?: Uint8Array<ArrayBuffer>; readonly places?: readonly Place[] };
  };
  drop: { readonly request: { readonly keys: readonly TicketKey[] }; readonly answer: Room };
  /** Forgets some of the payloads stored before a time. */
  expire: {
    readonly request: { readonly before_ms: number };
    /** Whether there may be more to forget. */
    readonly answer: Room & { readonly more: boolean };
  };
  /** Forgets what is kept by its place alone: the topic is another. */
  forgetPlaces: { readonly request: Record<never, never>; readonly answer: Record<never, never> };
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
  changes: new Set(["take", "drop", "expire", "forgetPlaces", "identify"] as const),
};
