// Bytes come back as they were.

import assert from "node:assert/strict";
import { pick, random } from "../../../../test/support/random.ts";
import { LOG_LIMITS } from "../../src/limits.ts";
import type { Entry } from "../../src/log.ts";
import type { LogCheck } from "./harness.ts";
import { Reader, readAll } from "./reader.ts";

function noise(seed: number, length: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => pick(next, 256));
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const odd: readonly Entry[] = [
  { key: "", value: new Uint8Array() },
  { key: "orders", value: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
  { key: "주문 🎟", value: noise(1, 1_000) },
  { key: "a\0b'; DROP TABLE entries; --", value: new Uint8Array([0]) },
  { key: "orders", value: noise(2, 10), headers: { traceparent } },
  { key: "", value: noise(3, 10), headers: { "": "", tracestate: 'a="b",ü', ["__proto__"]: "x" } },
  // A view of a larger buffer.
  { key: "orders", value: noise(4, 1_000).subarray(100, 200) },
];

/** Without what makes no difference: the class of the bytes, headers that are not there. */
function plain({ key, value, headers }: Entry) {
  return { key, value: Buffer.from(value).toString("hex"), headers: Object.entries(headers ?? {}) };
}

export const valueChecks: readonly LogCheck[] = [
  {
    name: "keys, values and headers come back as they were: live, read later, and after opening again",
    async run(store) {
      const log = await store.open();
      const live = new Reader(store, log);
      const writer = log.openWriter();
      await Promise.all(odd.map((entry) => writer.append(entry)));
      await live.has(odd.length);
      const later = await readAll(store, log);
      await log.close();
      const again = await readAll(store, await store.open());
      for (const entries of [live.got, later, again]) assert.deepEqual(entries.map(plain), odd.map(plain));
    },
  },
  {
    name: "absent and empty headers are both absent",
    async run(store) {
      const log = await store.open();
      const live = new Reader(store, log);
      const writer = log.openWriter();
      await writer.append({ key: "k", value: new Uint8Array([1]) });
      await writer.append({ key: "k", value: new Uint8Array([1]), headers: {} });
      await live.has(2);
      for (const { headers } of [...live.got, ...(await readAll(store, log))])
        assert.equal(headers, undefined);
    },
  },
  {
    name: "the largest entry and the largest payload come back as they were",
    async run(store) {
      const log = await store.open();
      const value = noise(5, LOG_LIMITS.entry_bytes_max - "orders".length);
      const bytes = noise(6, LOG_LIMITS.payload_bytes_max);
      const key = { session: 3n, sequence: 1, attempt: 0 };
      await log.openWriter().append({ key: "orders", value }, { payload: { key, bytes } });
      const [found] = await readAll(store, log);
      assert.ok(Buffer.from(value).equals(found!.value));
      assert.ok(Buffer.from(bytes).equals((await log.getPayload(key))!));
    },
  },
];
