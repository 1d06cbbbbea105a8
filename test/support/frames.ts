// Frames of HTTP/2 by hand (RFC 9113, 4.1), for what no client would send. Bytes are written one char each.

export const TYPES = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Of settings and pings. */
export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;

/** `size`: what is declared; by default the truth. */
export function frame(
  type: keyof typeof TYPES,
  flags: number,
  stream: number,
  payload = "",
  size = payload.length,
): string {
  return bytes(size, 3) + bytes(TYPES[type], 1) + bytes(flags, 1) + bytes(stream, 4) + payload;
}

/** A number, the largest byte first. */
export function bytes(value: number, count: number): string {
  let text = "";
  for (let at = count - 1; at >= 0; at -= 1) text += String.fromCharCode((value >>> (8 * at)) & 0xff);
  return text;
}

/** What a client begins with: the preface, and its settings as `[identifier, value]`. */
export function greeting(...settings: readonly (readonly [number, number])[]): string {
  const payload = settings.map(([id, value]) => bytes(id, 2) + bytes(value, 4)).join("");
  return `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame("settings", 0, 0, payload)}`;
}

/** The setting that says how much of a stream's body a client takes at first. */
export const INITIAL_WINDOW = 4;

/** A header list of HPACK: GET http /, authority "a". */
export const GET_ROOT = "\x82\x86\x84\x41\x01a";

/** The same as a whole request on a stream. */
export function get(stream: number): string {
  return frame("headers", END_STREAM | END_HEADERS, stream, GET_ROOT);
}

/** The stream numbers that a client uses. */
export function* streams(count: number, from = 1): Generator<number> {
  for (let i = 0; i < count; i += 1) yield from + 2 * i;
}
