// AES-256-GCM around what is stored beside the log. The payload's name is bound in, so that one ticket's payload put
// in the place of another's is not opened.
//
//   version (1) · nonce (12) · tag (16) · ciphertext

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { PayloadKey } from "@usher/ticket-log";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

export class Cipher {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    this.#key = createSecretKey(key);
  }

  seal(name: PayloadKey, plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(nameBytes(name));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), body]);
  }

  /** Absent: damaged, of another key, or of another payload. */
  open(name: PayloadKey, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) return undefined;
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(nameBytes(name))
      .setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}

function nameBytes(name: PayloadKey): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeBigUInt64LE(name.session, 0);
  bytes.writeUInt32LE(name.sequence, 8);
  bytes.writeUInt32LE(name.attempt, 12);
  return bytes;
}
