// Which protocol a connection speaks, by its first bytes: HTTP/2 begins with a line that HTTP/1.1 has not,
// `PRI * HTTP/2.0`, and TLS with a byte that neither has.

import type { Socket } from "node:net";

export type Protocol = "http1" | "http2" | "tls";

/** A TLS record that holds a handshake (RFC 8446, 5.1). */
const HANDSHAKE = 0x16;

const PREFACE = Buffer.from("PRI");

/** Looks at the first bytes, as few as tell, and puts them back. `found` is called once, unless the connection ends
 * or nothing comes for `first_byte_ms`: then it is closed. */
export function sniff(socket: Socket, first_byte_ms: number, found: (protocol: Protocol) => void): void {
  let late: NodeJS.Immediate | undefined;
  // What had come in time is read first, where this process was too busy to look, or slept.
  const timer = setTimeout(() => {
    late = setImmediate(() => socket.destroy());
  }, first_byte_ms);
  const onError = (): void => void socket.destroy();
  // Kept here until they tell: given back at once, they would be announced again at once.
  let seen = Buffer.alloc(0);
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, PREFACE.length);
    const like = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
    if (like && compared < PREFACE.length) return;
    stop();
    socket.unshift(seen);
    found(seen[0] === HANDSHAKE ? "tls" : like ? "http2" : "http1");
  };
  const stop = (): void => {
    clearTimeout(timer);
    clearImmediate(late);
    socket.off("readable", onReadable).off("error", onError).off("end", onError).off("close", stop);
  };
  socket.on("readable", onReadable).on("error", onError).on("end", onError).on("close", stop);
}
