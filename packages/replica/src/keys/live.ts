// Keys that change while a node runs. Whoever uses them asks for the lists anew each time, and notices by a list's
// identity that it is another one.

import type { ApiKey, Keys, Secret } from "./keys.ts";
import { ROTATED } from "./keys.ts";

/** The most that is named of what changed; the rest is counted. */
const NAMED_MAX = 4;

export class LiveKeys implements Keys {
  #now: Keys;

  constructor(keys: Keys) {
    this.#now = keys;
  }

  /** The set as it is now, which does not change any more: to make another of. */
  get current(): Keys {
    return this.#now;
  }

  get hash(): Buffer {
    return this.#now.hash;
  }

  get tag(): readonly Secret[] {
    return this.#now.tag;
  }

  get encryption(): readonly Secret[] {
    return this.#now.encryption;
  }

  get signing(): readonly Secret[] {
    return this.#now.signing;
  }

  get api_keys(): readonly ApiKey[] {
    return this.#now.api_keys;
  }

  /** Uses these from now on, and tells in words, without secrets, what is new and what is gone; absent: nothing. */
  replace(next: Keys): { readonly refused: string } | { readonly changed: string | undefined } {
    // What idempotency keys and subjects were hashed with, the log's records are compared with.
    if (!next.hash.equals(this.#now.hash))
      return {
        refused:
          'its "hash" is another one, with which nobody\'s idempotency key would be known again; ' +
          "restore it, and rotate the other keys instead",
      };
    const changed = differences(this.#now, next);
    this.#now = next;
    return { changed: changed.length === 0 ? undefined : changed.join("; ") };
  }
}

function differences(before: Keys, after: Keys): string[] {
  const lists = ROTATED.flatMap((kind) => difference(kind, before[kind].map(named), after[kind].map(named)));
  return [
    ...lists,
    ...difference("api key", before.api_keys.map(namedApiKey), after.api_keys.map(namedApiKey)),
  ];
}

interface Named {
  readonly words: string;
  /** Differs where anything of the key does. */
  readonly all: string;
}

function named({ id, secret, use_from_ms }: Secret): Named {
  const since = use_from_ms === 0 ? "" : `, in use from ${new Date(use_from_ms).toISOString()}`;
  return { words: `${id}${since}`, all: `${id} ${use_from_ms} ${secret.toString("hex")}` };
}

function namedApiKey({ id, key, caller }: ApiKey): Named {
  return { words: id, all: `${id} ${caller} ${key}` };
}

function difference(kind: string, before: readonly Named[], after: readonly Named[]): string[] {
  const [old, now] = [new Set(before.map(({ all }) => all)), new Set(after.map(({ all }) => all))];
  const added = after.filter(({ all }) => !old.has(all));
  const removed = before.filter(({ all }) => !now.has(all));
  return [
    ...(added.length === 0 ? [] : [`new ${kind}: ${some(added)}`]),
    ...(removed.length === 0 ? [] : [`${kind} no longer good: ${some(removed)}`]),
  ];
}

function some(all: readonly Named[]): string {
  const words = all.slice(0, NAMED_MAX).map(({ words }) => words);
  const more = all.length - words.length;
  return words.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
