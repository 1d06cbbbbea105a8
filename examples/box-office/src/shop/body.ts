// Reads a request's body, up to a limit.

import type { IncomingMessage } from "node:http";

/** The largest body that the shop reads; an order has some fifty bytes. */
export const BODY_BYTES_MAX = 4 * 1024;

/** The body as text; "too_large" beyond the limit; "left" when the caller hung up before its end. */
export function readBody(
  request: IncomingMessage,
): Promise<{ text: string } | { failure: "too_large" | "left" }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) {
        chunks.length = 0;
        resolve({ failure: "too_large" });
        return;
      }
      chunks.push(chunk);
    });
    request.on("end", () => resolve({ text: Buffer.concat(chunks).toString("utf8") }));
    request.on("error", () => resolve({ failure: "left" }));
    request.on("close", () => resolve({ failure: "left" }));
  });
}
