// Keyed hashes of what identifies callers and requests, so that the log holds nothing that tells who they are.

import { createHmac, createSecretKey, type Hmac, type KeyObject } from "node:crypto";

/** Bytes of a hash that the fold keeps: 128 bits for identities, 64 for telling requests apart. */
const IDENTITY_BYTES = 16;
const DIGEST_BYTES = 8;

export class Hashes {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    // Once: made of bytes anew, a key costs ten times what a hash does.
    this.#key = createSecretKey(key);
  }

  /** Of an idempotency key, which belongs to its caller and its queue. */
  idempotencyKey(queue: string, caller: string, key: string): Uint8Array {
    return this.#hash("key", [queue, caller, key]).subarray(0, IDENTITY_BYTES);
  }

  subject(queue: string, subject: string): Uint8Array {
    return this.#hash("subject", [queue, subject]).subarray(0, IDENTITY_BYTES);
  }

  /** Of a browser's own secret: by another purpose than a subject, so that a backend's word is never a visitor's. */
  visitor(queue: string, visitor: string): Uint8Array {
    return this.#hash("visitor", [queue, visitor]).subarray(0, IDENTITY_BYTES);
  }

  /** Of a request id of Admit, in hexadecimal. */
  requestId(queue: string, caller: string, id: string): string {
    return this.#hash("request-id", [queue, caller, id]).subarray(0, IDENTITY_BYTES).toString("hex");
  }

  /** Of what was asked for: equal for a retry, different for another request under the same key. */
  request(parts: readonly (string | Uint8Array)[]): Uint8Array {
    return this.#hash("request", parts).subarray(0, DIGEST_BYTES);
  }

  /** Of credentials that stand for a caller. */
  credentials(value: string): string {
    return this.#hash("credentials", [value]).toString("base64url");
  }

  #hash(purpose: string, parts: readonly (string | Uint8Array)[]): Buffer {
    const hmac = createHmac("sha256", this.#key);
    update(hmac, purpose);
    for (const part of parts) update(hmac, part);
    return hmac.digest();
  }
}

/** Length first, so that no two lists of parts look the same. */
function update(hmac: Hmac, part: string | Uint8Array): void {
  const bytes = typeof part === "string" ? Buffer.from(part) : part;
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(bytes.length);
  hmac.update(length).update(bytes);
}
