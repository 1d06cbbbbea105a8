import { createHmac } from "node:crypto";

/** How the log names an idempotency key, in hexadecimal: the first 16 bytes of an HMAC of the word "key", the queue, the
 * caller and the key, each after its length. `secret` is the `hash` of the file of keys. */
export function keyHash(secret: Buffer, queue: string, caller: string, key: string): string {
  const hmac = createHmac("sha256", secret);
  for (const part of ["key", queue, caller, key]) {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    hmac.update(length).update(bytes);
  }
  return hmac.digest().subarray(0, 16).toString("hex");
}
