// Refusals: clear, early, and leaving nothing behind.

import assert from "node:assert/strict";
import type { LogError, PayloadKey } from "../../src/log.ts";
import { appendAll, entry, numbered, refusedAs, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { readAll } from "./reader.ts";

const key: PayloadKey = { session: 1n, sequence: 1, attempt: 0 };

export const boundsChecks: readonly LogCheck[] = [
  {
    name: "more appends than may wait are refused as overloaded, and only those; later ones are taken again",
    async run(store) {
      const log = await store.open({ limits: { pending_max: 50 } });
      const writer = log.openWriter();
      const names = numbered(60);
      const ends = await Promise.allSettled(names.map((name) => writer.append(entry(name))));
      const refused = ends.filter((end) => end.status === "rejected");
      assert.equal(refused.length, 10);
      for (const { reason } of refused) {
        refusedAs("overloaded")(reason);
        assert.equal((reason as LogError).retryable, true);
      }
      await writer.append(entry("later"));
      const accepted = names.filter((_, n) => ends[n]!.status === "fulfilled");
      assert.deepEqual(texts(await readAll(store, log)), [...accepted, "later"]);
    },
  },
  {
    name: "more bytes than may wait are refused as overloaded, of entries and of payloads",
    async run(store) {
      const limits = { pending_bytes_max: 20_000, entry_bytes_max: 5_000, payload_bytes_max: 15_000 };
      const log = await store.open({ limits });
      const writer = log.openWriter();
      const value = new Uint8Array(4_000);
      const ends = await Promise.allSettled([
        writer.append({ key: "", value }, { payload: { key, bytes: new Uint8Array(10_000) } }),
        log.putPayload({ key: { ...key, sequence: 2 }, bytes: new Uint8Array(7_000) }),
        writer.append({ key: "", value }),
      ]);
      assert.deepEqual(
        ends.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      refusedAs("overloaded")((ends[1] as PromiseRejectedResult).reason);
      assert.equal(await log.getPayload({ ...key, sequence: 2 }), undefined);
      await log.putPayload({ key: { ...key, sequence: 2 }, bytes: new Uint8Array(7_000) });
    },
  },
  {
    name: "an entry or payload that is too large is refused as that, and nothing of it is kept",
    async run(store) {
      const log = await store.open({ limits: { entry_bytes_max: 1_000, payload_bytes_max: 2_000 } });
      const writer = log.openWriter();
      const fits = { key: "orders", value: new Uint8Array(994) };
      const payload = { key, bytes: new Uint8Array(2_001) };
      const tooLarge = refusedAs("too_large");
      await assert.rejects(writer.append({ ...fits, value: new Uint8Array(995) }), tooLarge);
      await assert.rejects(writer.append({ ...fits, headers: { a: "b" } }), tooLarge);
      await assert.rejects(writer.append(fits, { payload }), tooLarge);
      await assert.rejects(log.putPayload(payload), tooLarge);
      await writer.append(fits, { payload: { key: { ...key, attempt: 1 }, bytes: new Uint8Array(2_000) } });
      assert.equal((await readAll(store, log)).length, 1);
      assert.equal(await log.getPayload(key), undefined);
    },
  },
  {
    name: "too many fetches, drops and followers are refused",
    async run(store) {
      const log = await store.open({ limits: { payload_reads_max: 5, drops_max: 5, followers_max: 2 } });
      await log.putPayload({ key, bytes: new Uint8Array(10) });
      const fetches = await Promise.allSettled(Array.from({ length: 6 }, () => log.getPayload(key)));
      assert.equal(fetches.filter(({ status }) => status === "fulfilled").length, 5);
      refusedAs("overloaded")((fetches[5] as PromiseRejectedResult).reason);
      assert.equal((await log.getPayload(key))?.byteLength, 10);

      await assert.rejects(log.dropPayloads(Array.from({ length: 6 }, () => key)), refusedAs("too_large"));
      assert.equal((await log.getPayload(key))?.byteLength, 10);

      const follow = () => log.follow(0, { entries() {}, failed() {} });
      const first = follow();
      follow();
      assert.throws(follow, refusedAs("overloaded"));
      first.close();
      follow();
    },
  },
  {
    name: "what cannot be stored is refused, and takes no neighbour along",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const bytes = new Uint8Array(1);
      const wrong: PayloadKey[] = [
        { ...key, session: -1n },
        { ...key, session: 2n ** 64n },
        { ...key, sequence: 0.5 },
        { ...key, sequence: -1 },
        { ...key, attempt: Number.NaN },
      ];
      const before = writer.append(entry("before"));
      for (const bad of wrong) {
        await assert.rejects(writer.append(entry("bad"), { payload: { key: bad, bytes } }), TypeError);
        await assert.rejects(log.putPayload({ key: bad, bytes }), TypeError);
        await assert.rejects(log.getPayload(bad), TypeError);
      }
      await assert.rejects(log.dropPayloads([key, wrong[0]!]), TypeError);
      await assert.rejects(log.dropPayloadsOlderThan(-1), RangeError);
      await assert.rejects(log.dropPayloadsOlderThan(Number.NaN), RangeError);
      for (const from of [-1, 0.5, Number.NaN]) {
        assert.throws(() => log.follow(from, { entries() {}, failed() {} }), RangeError);
      }
      await before;
      await appendAll(log, ["after"]);
      assert.deepEqual(texts(await readAll(store, log)), ["before", "after"]);
    },
  },
];
