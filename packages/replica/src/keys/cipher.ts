// AES-256-GCM around what is stored beside the log. The payload's name is bound in, so that one ticket's payload put
// in the place of another's is not opened.
//
//   version (2) · length of the key's id (1) · key's id · nonce (12) · tag (16) · ciphertext
//
// Version 1, of before keys had ids, lacks both; what has it was made with the first key of the list.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { PayloadKey } from "@usher/ticket-log";
import { inUse, type Keys, madeOf } from "./keys.ts";

const VERSION_WITHOUT_ID = 1;
const VERSION = 2;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface CipherKey {
  readonly id: string;
  readonly key: KeyObject;
  /** Begins what is sealed under it. */
  readonly head: Buffer;
  readonly use_from_ms: number;
}

export class Cipher {
  readonly #keys: () => readonly CipherKey[];
  readonly #now_ms: () => number;

  constructor(keys: Pick<Keys, "encryption">, now_ms: () => number = Date.now) {
    this.#now_ms = now_ms;
    this.#keys = madeOf(
      () => keys.encryption,
      (list) =>
        list.map(({ id, secret, use_from_ms }) => ({
          ...{ id, use_from_ms, key: createSecretKey(secret) },
          head: Buffer.concat([Buffer.of(VERSION, id.length), Buffer.from(id)]),
        })),
    );
  }

  seal(name: PayloadKey, plain: Uint8Array): Uint8Array {
    const { key, head } = inUse(this.#keys(), this.#now_ms());
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(nameBytes(name));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([head, nonce, cipher.getAuthTag(), body]);
  }

  /** Absent: damaged, of a key that is not among ours, or of another payload. */
  open(name: PayloadKey, sealed: Uint8Array): Uint8Array | undefined {
    const opening = this.#openingOf(sealed);
    if (opening === undefined) return undefined;
    const { key, start } = opening;
    const body = start + NONCE_BYTES + TAG_BYTES;
    if (sealed.length < body) return undefined;
    const nonce = sealed.subarray(start, start + NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(nameBytes(name))
      .setAuthTag(sealed.subarray(start + NONCE_BYTES, body));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(body)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  /** With what, and from where on. */
  #openingOf(sealed: Uint8Array): { readonly key: KeyObject; readonly start: number } | undefined {
    const [version, length = 0] = sealed;
    const keys = this.#keys();
    if (version === VERSION_WITHOUT_ID) return keys[0] && { key: keys[0].key, start: 1 };
    if (version !== VERSION) return undefined;
    const start = 2 + length;
    const id = Buffer.from(sealed.subarray(2, start)).toString("latin1");
    const found = keys.find((key) => key.id === id);
    return found && { key: found.key, start };
  }
}

function nameBytes(name: PayloadKey): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeBigUInt64LE(name.session, 0);
  bytes.writeUInt32LE(name.sequence, 8);
  bytes.writeUInt32LE(name.attempt, 12);
  return bytes;
}
