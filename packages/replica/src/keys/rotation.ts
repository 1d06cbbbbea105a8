// What becomes of a set of keys when an operator rotates, revokes or clears away: pure, and each gives another set.
// What cannot be done throws a `KeysError` that says why; the file's name is for the caller to add.

import { randomBytes } from "node:crypto";
import { isKeyId } from "./format.ts";
import {
  API_KEYS_MAX,
  type ApiKey,
  freshApiKey,
  freshSecret,
  inUse,
  type Keys,
  KeysError,
  ROTATED,
  type Rotated,
  SECRETS_MAX,
  type Secret,
} from "./keys.ts";
import { kidOf } from "./signing.ts";

/** Another key of a kind, which makes from `use_from_ms` on. Without an `id` it has one of its own: a signing key its
 * thumbprint, by which passes name it. */
export function rotate(
  keys: Keys,
  kind: Rotated,
  { id, use_from_ms }: { readonly id?: string | undefined; readonly use_from_ms: number },
): { readonly keys: Keys; readonly added: Secret } {
  const list = keys[kind];
  if (list.length >= SECRETS_MAX)
    throw new KeysError(
      `there are ${list.length} ${kind} keys, and there may be no more; prune old ones first`,
    );
  const fresh = freshSecret({ id: "", use_from_ms });
  const own = kind === "signing" ? kidOf(fresh.secret) : randomBytes(6).toString("hex");
  const added = { ...fresh, id: newId(id ?? own, kind, list) };
  return { keys: { ...keys, [kind]: [...list, added] }, added };
}

/** Another API key. `caller`: whose; by default the only one's there is. Both the former and it are good, until the
 * former is revoked. */
export function addApiKey(
  keys: Keys,
  { id, caller }: { readonly id?: string | undefined; readonly caller?: string | undefined },
): { readonly keys: Keys; readonly added: ApiKey } {
  const list = keys.api_keys;
  if (list.length >= API_KEYS_MAX)
    throw new KeysError(`there are ${list.length} API keys, and there may be no more; revoke some first`);
  const whose = caller ?? onlyCaller(list);
  if (!isKeyId(whose)) throw new KeysError(`${JSON.stringify(whose)} is not a caller's name`);
  const added = freshApiKey({ id: newId(id ?? freeId(whose, list), "API", list), caller: whose });
  return { keys: { ...keys, api_keys: [...list, added] }, added };
}

/** An API key is no longer good. */
export function revokeApiKey(keys: Keys, id: string): Keys {
  const api_keys = keys.api_keys.filter((key) => key.id !== id);
  if (api_keys.length < keys.api_keys.length) return { ...keys, api_keys };
  const ids = keys.api_keys.map((key) => key.id).join(", ") || "none";
  throw new KeysError(`there is no API key ${JSON.stringify(id)}; there are: ${ids}`);
}

export interface Pruned {
  readonly kind: Rotated;
  readonly id: string;
}

/** Without the keys, of these kinds, that have made nothing since `before_ms`. The one in use, and those to come, always
 * stay. */
export function prune(
  keys: Keys,
  {
    kinds = ROTATED,
    before_ms,
    now_ms,
  }: {
    readonly kinds?: readonly Rotated[] | undefined;
    readonly before_ms: number;
    readonly now_ms: number;
  },
): { readonly keys: Keys; readonly removed: readonly Pruned[] } {
  const removed: Pruned[] = [];
  const kept = { ...keys };
  for (const kind of kinds)
    kept[kind] = keys[kind].filter((key) => {
      const since_ms = supersededSince(key, keys[kind], now_ms);
      if (since_ms === undefined || since_ms > before_ms) return true;
      removed.push({ kind, id: key.id });
      return false;
    });
  return { keys: kept, removed };
}

/** Since when a key makes nothing any more, because another does; absent where it does, or is yet to. */
export function supersededSince(key: Secret, list: readonly Secret[], now_ms: number): number | undefined {
  if (key.use_from_ms > now_ms || key === inUse(list, now_ms)) return undefined;
  const later = list
    .filter((other, at) => isAfter(other, at, key, list.indexOf(key)))
    .map(({ use_from_ms }) => use_from_ms);
  return Math.min(...later);
}

function isAfter(one: Secret, at: number, other: Secret, otherAt: number): boolean {
  return one.use_from_ms > other.use_from_ms || (one.use_from_ms === other.use_from_ms && at > otherAt);
}

function onlyCaller(list: readonly ApiKey[]): string {
  const callers = [...new Set(list.map(({ id, caller }) => caller ?? id))];
  const [only] = callers;
  if (only === undefined) return "default";
  if (callers.length === 1) return only;
  throw new KeysError(`whose is it? Say with --caller; there are: ${callers.join(", ")}`);
}

function freeId(caller: string, list: readonly ApiKey[]): string {
  const ids = new Set(list.map(({ id }) => id));
  if (!ids.has(caller)) return caller;
  let n = 2;
  while (ids.has(`${caller}-${n}`)) n++;
  return `${caller}-${n}`;
}

function newId(id: string, kind: string, list: readonly { readonly id: string }[]): string {
  if (!isKeyId(id))
    throw new KeysError(`${JSON.stringify(id)} is not an id; give 1 to 64 of A-Z a-z 0-9 . _ -`);
  if (!list.some((key) => key.id === id)) return id;
  throw new KeysError(`there is a ${kind} key ${JSON.stringify(id)} already; give another --id`);
}
