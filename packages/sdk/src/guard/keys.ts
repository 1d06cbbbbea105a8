// The public keys that passes are checked with: a set that is given, or one that the gateway shows and that is kept here.
//
//   none yet ──▶ ask; no answer: unavailable      fresh ──▶ use      stale ──▶ ask first, and use what there is if that fails

import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWSHeaderParameters } from "jose";
import { reasonOf } from "../calls/reason.ts";
import { UsherError } from "../errors.ts";

/** A set of keys, as in RFC 7517; for passes, Ed25519's alone are looked at. */
export interface KeySet {
  readonly keys: readonly object[];
}

/** How keys that are fetched are kept. All in milliseconds. */
export interface KeyOptions {
  /** How long they are used before they are asked for again; 60,000, as the gateway's `Cache-Control` says. A new key is
   * shown two minutes before it is used, and one that has leaked is of no use after one. */
  readonly maxAge?: number;
  /** How long after one question no other is put, whatever comes: a failed one, or a pass whose key is not known; 5,000.
   * So made-up passes cost the gateway twelve questions a minute at most, and a key that is used at once (`--in 0s`) is known
   * within five seconds. */
  readonly cooldown?: number;
  /** How long the answer may take; 5,000. */
  readonly timeout?: number;
  /** How long they go on being used while the gateway cannot be asked; 86,400,000, a day, the longest that a pass can be
   * good for. After that nobody is let in. */
  readonly maxStale?: number;
}

/** The key that a token names; rejects with `JWKSNoMatchingKey`, or `KeysUnavailable`. */
export type FindKey = (header: JWSHeaderParameters) => Promise<CryptoKey>;

type CryptoKey = Awaited<ReturnType<ReturnType<typeof createLocalJWKSet>>>;

/** There are no keys to check with, so nobody can be told from anybody. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
  /** After how many milliseconds to try again. */
  readonly retryAfter: number;

  constructor(retryAfter: number, cause: unknown) {
    super("the keys that passes are checked with could not be fetched", { cause });
    this.retryAfter = retryAfter;
  }
}

/** The largest set that is read, in bytes: 64 KiB, hundreds of keys. */
const SET_BYTES_MAX = 64 * 1024;

/** Where keys come from. Throws where what is given cannot be one. `onFault`: told why they could not be fetched. */
export function keysFrom(
  jwks: string | URL | KeySet,
  options: KeyOptions,
  onFault: (error: unknown) => void,
): FindKey {
  if (typeof jwks !== "string" && !(jwks instanceof URL)) return given(jwks);
  const url = URL.canParse(`${jwks}`) ? new URL(jwks) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsherError(
      "misused",
      `jwks is "${jwks}"; it takes a URL such as http://host:8080/_usher/jwks.json`,
    );
  const keys = new FetchedKeys(url, options, onFault);
  return (header) => keys.find(header);
}

function given(set: KeySet): FindKey {
  try {
    return createLocalJWKSet({ keys: [...set.keys] });
  } catch (cause) {
    throw new UsherError("misused", "jwks is no set of keys: it takes { keys: [...] }, or a URL", { cause });
  }
}

class FetchedKeys {
  readonly #url: URL;
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  readonly #options: Required<KeyOptions>;
  readonly #onFault: (error: unknown) => void;
  /** When they were fetched; absent before. */
  #fetched_ms: number | undefined;
  /** When the last question had its answer, or none. */
  #asked_ms = Number.NEGATIVE_INFINITY;
  /** Why the last question failed; absent where it did not. */
  #failure: unknown;
  #asking: Promise<void> | undefined;

  constructor(url: URL, options: KeyOptions, onFault: (error: unknown) => void) {
    const { maxAge = 60_000, cooldown = 5_000, timeout = 5_000, maxStale = 86_400_000 } = options;
    this.#options = { maxAge, cooldown, timeout, maxStale };
    for (const [name, value] of Object.entries(this.#options))
      if (!(value >= 0)) throw new UsherError("misused", `keys.${name} is ${value}; it takes milliseconds`);
    this.#url = url;
    this.#onFault = onFault;
    // When to ask is decided here: jose would ask at each token while the gateway fails, and refuse what it has by then.
    this.#remote = createRemoteJWKSet(url, {
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: Number.POSITIVE_INFINITY,
      timeoutDuration: Math.ceil(timeout),
      [customFetch]: fetchSmall,
    });
  }

  async find(header: JWSHeaderParameters): Promise<CryptoKey> {
    const { maxAge, maxStale } = this.#options;
    const fetched_ms = this.#fetched_ms;
    const age_ms = performance.now() - (fetched_ms ?? Number.NEGATIVE_INFINITY);
    if (fetched_ms === undefined || age_ms > maxStale) {
      await this.#ask();
      if (this.#fetched_ms === fetched_ms) throw this.#unavailable();
    } else if (age_ms >= maxAge) {
      const asked = this.#ask();
      // Where the gateway has just failed, nobody waits for it to fail again.
      if (this.#failure === undefined) await asked;
    }
    try {
      return await this.#remote(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#ask();
      return await this.#again(header);
    }
  }

  /** What is not known now is nobody's, unless the gateway could not be asked: then it may be a new one. */
  async #again(header: JWSHeaderParameters): Promise<CryptoKey> {
    try {
      return await this.#remote(header);
    } catch (error) {
      throw this.#failure === undefined ? error : this.#unavailable();
    }
  }

  /** Asks the gateway, once for all who want it, and not within the cooldown. Never rejects. */
  #ask(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    if (performance.now() - this.#asked_ms < this.#options.cooldown) return Promise.resolve();
    this.#asking = this.#fetch().finally(() => {
      this.#asked_ms = performance.now();
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    try {
      await this.#remote.reload();
      this.#fetched_ms = performance.now();
      this.#failure = undefined;
    } catch (cause) {
      const told = `the keys of passes could not be had from ${shown(this.#url)}: ${reasonOf(cause)}`;
      this.#failure = new Error(told, { cause });
      this.#onFault(this.#failure);
    }
  }

  #unavailable(): KeysUnavailable {
    const left_ms = this.#asked_ms + this.#options.cooldown - performance.now();
    return new KeysUnavailable(Math.max(0, left_ms), this.#failure);
  }
}

/** Without a user, a password and a query, which may be secret. */
function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** `fetch`, of an answer that is not larger than a set of keys may be. */
async function fetchSmall(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status !== 200) {
    await response.body?.cancel();
    const where = response.status === 404 ? ": a gateway shows them at /_usher/jwks.json" : "";
    throw new Error(`it answers ${response.status} instead of 200${where}`);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > SET_BYTES_MAX) throw new Error(`it answers with more than ${SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return new Response(new Blob(chunks), { headers: response.headers });
}
