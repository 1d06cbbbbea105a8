// What was answered is kept.

import assert from "node:assert/strict";
import { appendAll, entry, numbered, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { readAll } from "./reader.ts";

export const durabilityChecks: readonly LogCheck[] = [
  {
    name: "an entry is durable when its append resolves, and so is its payload",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      for (const n of [1, 2, 3]) {
        const key = { session: 1n, sequence: n, attempt: 0 };
        const payload = { key, bytes: Buffer.from(`payload ${n}`) };
        await writer.append(entry(`entry ${n}`), { payload });
        const found = await store.killed();
        const again = await found.open();
        assert.equal(texts(await readAll(found, again)).at(-1), `entry ${n}`);
        assert.deepEqual(await again.getPayload(key), new Uint8Array(payload.bytes));
        await again.close();
      }
    },
  },
  {
    name: "a payload alone is durable when its put resolves",
    async run(store) {
      const log = await store.open();
      const key = { session: 1n, sequence: 1, attempt: 1 };
      await log.putPayload({ key, bytes: Buffer.from("answer") });
      const again = await (await store.killed()).open();
      assert.deepEqual(await again.getPayload(key), new Uint8Array(Buffer.from("answer")));
    },
  },
  {
    name: "what was written is there after the log is closed and opened again",
    async run(store) {
      for (const round of [1, 2, 3]) {
        const log = await store.open();
        await appendAll(log, numbered(50, `round ${round}`));
        await log.close();
        const again = await store.open();
        const all = texts(await readAll(store, again));
        assert.equal(all.length, 50 * round);
        assert.deepEqual(all.slice(-50), numbered(50, `round ${round}`));
        await again.close();
      }
    },
  },
];
