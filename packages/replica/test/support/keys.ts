// Keys for tests: the same every time, told apart by their first byte.

import type { Keys } from "../../src/index.ts";

function secret(first: number): Buffer {
  return Buffer.alloc(32, first);
}

export const KEYS: Keys = {
  hash: secret(1),
  tag: secret(2),
  encryption: secret(3),
  api_keys: [
    { id: "backend", key: "usher_the-first-key-of-the-tests" },
    { id: "other", key: "usher_the-second-key-of-the-tests" },
  ],
};
