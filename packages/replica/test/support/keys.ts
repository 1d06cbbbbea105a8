// Keys for tests: the same every time, told apart by their first byte.

import type { Keys } from "../../src/index.ts";
import type { Secret } from "../../src/keys/keys.ts";

function secret(first: number): Buffer {
  return Buffer.alloc(32, first);
}

/** A list of one, in use for ever. */
export function only(first: number): Secret[] {
  return [{ id: "first", secret: secret(first), use_from_ms: 0 }];
}

export const KEYS: Keys = {
  hash: secret(1),
  tag: only(2),
  encryption: only(3),
  signing: only(4),
  api_keys: [
    { id: "backend", key: "usher_the-first-key-of-the-tests" },
    { id: "other", key: "usher_the-second-key-of-the-tests" },
  ],
};
