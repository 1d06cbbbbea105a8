// The secrets of a deployment, and what they are for. Whoever has them can do everything.
//
//   file.ts      the file that they are kept in       tokens.ts    proofs that a holder holds a ticket
//   format.ts    its text, read strictly              passes.ts    proofs that a holder was admitted, for others to check
//   change.ts    rewriting it, one writer at a time   signing.ts   what a pass is signed with
//   rotation.ts  keys added, revoked, cleared away    cipher.ts    what is stored, encrypted
//   live.ts      keys that change while a node runs   hashes.ts    who and what, as the log may know it
//
// Of tags, encryption and signing there are lists: the newest key that is in use makes, and all of them are good for
// reading what was made before. A new one is put into use a little later than it is made known, so that every node
// knows it before the first has used it.

import { randomBytes } from "node:crypto";
import { kidOf } from "./signing.ts";

/** One key of a list. */
export interface Secret {
  /** Names it in what it has made, and in lists; not secret. */
  readonly id: string;
  readonly secret: Buffer;
  /** By the wall clock, in ms since 1970: from when on it is what makes. It is read with before, too. */
  readonly use_from_ms: number;
}

export interface ApiKey {
  /** Names the key, to tell which is to be revoked; not secret. */
  readonly id: string;
  readonly key: string;
  /** Who calls with it, as hashes and logs know the caller; absent: its id. The next key of the same caller has the
   * same one here, and a retry under the next key is the same ticket. */
  readonly caller?: string;
}

export interface Keys {
  /** For HMACs of idempotency keys, subjects and requests. Not changed while tickets live. */
  readonly hash: Buffer;
  /** For the tags of ticket tokens. */
  readonly tag: readonly Secret[];
  /** For AES-256-GCM of what is stored. */
  readonly encryption: readonly Secret[];
  /** For the signatures of passes: seeds of Ed25519. */
  readonly signing: readonly Secret[];
  readonly api_keys: readonly ApiKey[];
}

/** The lists of keys that take turns. */
export type Rotated = "tag" | "encryption" | "signing";
export const ROTATED: readonly Rotated[] = ["tag", "encryption", "signing"];

export const SECRET_BYTES = 32;

/** Keys in one list at most: enough for one a day over the longest time that anything made with one may live. */
export const SECRETS_MAX = 40;

/** API keys at most; every call with one is compared with all of them. */
export const API_KEYS_MAX = 256;

export class KeysError extends Error {
  override readonly name = "KeysError";
}

/** New secrets throughout, one of each, in use at once, and one API key. */
export function freshKeys(): Keys {
  const first = (): Secret[] => [freshSecret({ id: "first", use_from_ms: 0 })];
  return {
    hash: randomBytes(SECRET_BYTES),
    tag: first(),
    encryption: first(),
    signing: [firstSigning(randomBytes(SECRET_BYTES))],
    api_keys: [freshApiKey({ id: "default" })],
  };
}

/** The only key to sign with, so far. */
export function firstSigning(secret: Buffer): Secret {
  return { id: kidOf(secret), secret, use_from_ms: 0 };
}

export function freshSecret({ id, use_from_ms }: Omit<Secret, "secret">): Secret {
  return { id, secret: randomBytes(SECRET_BYTES), use_from_ms };
}

export function freshApiKey({ id, caller }: Omit<ApiKey, "key">): ApiKey {
  const key = `usher_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  return caller === undefined || caller === id ? { id, key } : { id, key, caller };
}

/** The one of a list that makes: of those in use, the one that came into use last. Where all are yet to come, the clock
 * is behind, and the earliest is nearest. Throws where there is none at all. */
export function inUse<Key extends Pick<Secret, "use_from_ms">>(list: readonly Key[], now_ms: number): Key {
  const [first] = list;
  if (first === undefined) throw new KeysError("there is no key to make anything with");
  return list.reduce((best, key) => (isNearer(key, best, now_ms) ? key : best), first);
}

/** Of two that came into use at once, the later in the list. */
function isNearer(
  key: Pick<Secret, "use_from_ms">,
  best: Pick<Secret, "use_from_ms">,
  now_ms: number,
): boolean {
  if (key.use_from_ms > now_ms) return best.use_from_ms > now_ms && key.use_from_ms < best.use_from_ms;
  return best.use_from_ms > now_ms || key.use_from_ms >= best.use_from_ms;
}

/** What is made of a list of keys, and anew when there is another list in its place: key objects cost ten times what
 * their use does. */
export function madeOf<List, Made>(list: () => List, make: (list: List) => Made): () => Made {
  let last: { readonly list: List; readonly made: Made } | undefined;
  return () => {
    const now = list();
    if (last?.list !== now) last = { list: now, made: make(now) };
    return last.made;
  };
}
