// Payloads: kept by ticket and attempt until they are dropped.

import assert from "node:assert/strict";
import type { PayloadKey, TicketLog } from "../../src/log.ts";
import { entry } from "./entries.ts";
import type { LogCheck } from "./harness.ts";

function payloadKey(sequence: number, attempt = 0, session = 1n): PayloadKey {
  return { session, sequence, attempt };
}

async function put(log: TicketLog, key: PayloadKey, text: string): Promise<void> {
  await log.putPayload({ key, bytes: Buffer.from(text) });
}

/** As text; undefined where there is none. */
async function get(log: TicketLog, key: PayloadKey): Promise<string | undefined> {
  const bytes = await log.getPayload(key);
  return bytes && Buffer.from(bytes).toString();
}

export const payloadChecks: readonly LogCheck[] = [
  {
    name: "a payload that went with an entry is there when the append resolves",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const keys = Array.from({ length: 700 }, (_, n) => payloadKey(n));
      const appends = keys.map((key, n) =>
        writer.append(entry(`entry ${n}`), { payload: { key, bytes: Buffer.from(`payload ${n}`) } }),
      );
      await Promise.all(appends);
      const found = await Promise.all(keys.map((key) => get(log, key)));
      assert.deepEqual(
        found,
        keys.map((_, n) => `payload ${n}`),
      );
    },
  },
  {
    name: "a payload alone is there when its put resolves, and put again is replaced",
    async run(store) {
      const log = await store.open();
      assert.equal(await get(log, payloadKey(1)), undefined);
      await put(log, payloadKey(1), "first");
      assert.equal(await get(log, payloadKey(1)), "first");
      await put(log, payloadKey(1), "second");
      assert.equal(await get(log, payloadKey(1)), "second");
      assert.equal(await log.end(), 0);
    },
  },
  {
    name: "sessions of 64 bits, sequences and attempts are told apart",
    async run(store) {
      const log = await store.open();
      const keys: PayloadKey[] = [];
      for (const session of [0n, 1n, 2n ** 63n, 2n ** 63n + 1n, 2n ** 64n - 1n]) {
        for (const sequence of [0, 2 ** 32 - 1]) {
          for (const attempt of [0, 1]) keys.push({ session, sequence, attempt });
        }
      }
      await Promise.all(keys.map((key, n) => put(log, key, `payload ${n}`)));
      for (const [n, key] of keys.entries()) assert.equal(await get(log, key), `payload ${n}`);
    },
  },
  {
    name: "payloads dropped by ticket are gone, of all attempts, and no others",
    async run(store) {
      const log = await store.open();
      for (const sequence of [1, 2, 3]) {
        await put(log, payloadKey(sequence), "request");
        await put(log, payloadKey(sequence, 1), "answer");
      }
      await put(log, payloadKey(1, 0, 2n), "of another session");
      await log.dropPayloads([payloadKey(1), payloadKey(3), payloadKey(99)]);
      await log.dropPayloads([]);
      const left = [payloadKey(1), payloadKey(1, 1), payloadKey(2), payloadKey(2, 1), payloadKey(3)];
      const found = await Promise.all([...left, payloadKey(1, 0, 2n)].map((key) => get(log, key)));
      assert.deepEqual(found, [undefined, undefined, "request", "answer", undefined, "of another session"]);
    },
  },
  {
    name: "a drop that is called after a put goes after it",
    async run(store) {
      const log = await store.open();
      const keys = Array.from({ length: 1_200 }, (_, n) => payloadKey(n));
      await Promise.all([...keys.map((key) => put(log, key, "request")), log.dropPayloads(keys)]);
      const found = await Promise.all(keys.slice(-600).map((key) => get(log, key)));
      assert.ok(found.every((bytes) => bytes === undefined));
    },
  },
  {
    name: "payloads dropped by age are those stored longer ago",
    async run(store) {
      let clock = 1_000_000;
      const log = await store.open({ now: () => clock });
      const old = Array.from({ length: 450 }, (_, n) => payloadKey(n));
      await Promise.all(old.map((key) => put(log, key, "old")));
      clock += 60_000;
      await put(log, payloadKey(1_000), "young");
      clock += 30_000;
      await log.dropPayloadsOlderThan(90_000);
      assert.equal(await get(log, old[0]!), "old");
      await log.dropPayloadsOlderThan(30_001);
      const found = await Promise.all(old.map((key) => get(log, key)));
      assert.ok(found.every((bytes) => bytes === undefined));
      assert.equal(await get(log, payloadKey(1_000)), "young");
    },
  },
  {
    name: "payloads are kept, and dropped ones stay dropped, when the log is opened again",
    async run(store) {
      const log = await store.open();
      await put(log, payloadKey(1), "kept");
      await put(log, payloadKey(2), "dropped");
      await log.dropPayloads([payloadKey(2)]);
      await log.close();
      const again = await store.open();
      assert.equal(await get(again, payloadKey(1)), "kept");
      assert.equal(await get(again, payloadKey(2)), undefined);
    },
  },
];
