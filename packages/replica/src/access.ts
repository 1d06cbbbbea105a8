// Who calls, and what they may. A caller is an API key; else whoever the credentials of their service make them; else
// nobody, known by nothing but the keys and tokens that they bring.

import { createHash, timingSafeEqual } from "node:crypto";
import type { Hashes } from "./keys/hashes.ts";
import { type Keys, madeOf } from "./keys/keys.ts";
import { UsherError } from "./rpc/errors.ts";

/** The header that carries an API key. */
export const API_KEY_HEADER = "usher-api-key";

/** Without credentials, an idempotency key alone says who calls: it must not be guessed. 22 characters of base64url
 * are 128 bits. */
export const KEY_LENGTH_MIN = 22;

/** Where API keys are to be found, for errors. */
const KEYS = "one of those in the node's file of keys, usher.keys.json beside its data by default";

/** Which calls need an API key: those of backends and operators, all, or (for trying out) none. */
export type Requirement = "backends" | "all" | "none";

export interface Caller {
  /** Goes into the hash of an idempotency key; "" for nobody. */
  readonly id: string;
  /** May do what backends and operators do. */
  readonly trusted: boolean;
}

export class Access {
  readonly #keys: () => readonly { readonly caller: string; readonly hash: Buffer }[];
  readonly #hashes: Hashes;
  readonly #requirement: Requirement;

  constructor(options: { keys: Keys; hashes: Hashes; require: Requirement }) {
    this.#keys = madeOf(
      () => options.keys.api_keys,
      (list) => list.map(({ id, key, caller }) => ({ caller: caller ?? id, hash: sha256(key) })),
    );
    this.#hashes = options.hashes;
    this.#requirement = options.require;
  }

  /** Who calls. A wrong API key is refused, not taken for none. */
  caller(headers: Headers): Caller {
    const key = headers.get(API_KEY_HEADER);
    if (key !== null) return this.#owner(key);
    // Empty ones tell nobody apart.
    const credentials = headers.get("authorization") || undefined;
    const id = credentials === undefined ? "" : `credentials:${this.#hashes.credentials(credentials)}`;
    return { id, trusted: this.#requirement === "none" };
  }

  /** Who calls a method that anybody may call, unless all need a key here. */
  visitor(headers: Headers): Caller {
    return this.#requirement === "all" ? this.backend(headers) : this.caller(headers);
  }

  /** Who calls a method that needs an API key. */
  backend(headers: Headers): Caller {
    const caller = this.caller(headers);
    if (caller.trusted) return caller;
    const who = this.#requirement === "all" ? "On this port every call" : "This call";
    throw new UsherError(
      "API_KEY_REQUIRED",
      `${who} needs an API key, in the header ${API_KEY_HEADER}: ${KEYS}.`,
    );
  }

  #owner(key: string): Caller {
    const hash = sha256(key);
    let caller: string | undefined;
    // All are compared, so that the time taken tells nothing.
    for (const known of this.#keys()) if (timingSafeEqual(known.hash, hash)) caller = known.caller;
    if (caller === undefined)
      throw new UsherError("API_KEY_REQUIRED", `This is no API key of this deployment; it takes ${KEYS}.`);
    return { id: `key:${caller}`, trusted: true };
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
