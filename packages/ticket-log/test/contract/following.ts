// Followers: each entry once, in order, from anywhere.

import assert from "node:assert/strict";
import { pick, random } from "../../../../test/support/random.ts";
import { BATCH, READ } from "../../src/limits.ts";
import type { Following } from "../../src/log.ts";
import { appendAll, numbered, places, refusedAs, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { Reader, readAll } from "./reader.ts";

export const followingChecks: readonly LogCheck[] = [
  {
    name: "a follower gets all from its offset on, whatever offset that is",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(READ.records + BATCH.records));
      const all = await readAll(store, log);
      const end = await log.end();
      for (const from of [0, 1, 77, READ.records - 1, READ.records, all.length - 1]) {
        const reader = new Reader(store, log, all[from]!.offset);
        await reader.reaches(end);
        assert.deepEqual(places(reader.got), places(all.slice(from)));
      }
    },
  },
  {
    name: "a follower that begins while others write misses nothing and gets nothing twice",
    async run(store) {
      const log = await store.open();
      const next = random(11);
      const first = new Reader(store, log);
      const late: { from: number; reader: Reader }[] = [];
      for (let round = 0; round < 40; round++) {
        const appends = appendAll(log, numbered(1 + pick(next, 300), `round ${round}`));
        // At another stage of what is being written each time.
        for (let turn = pick(next, 4); turn > 0; turn--)
          await new Promise((resolve) => setImmediate(resolve));
        const from = pick(next, first.got.length);
        late.push({ from, reader: new Reader(store, log, first.got[from]?.offset ?? 0) });
        if (round % 3 === 0) await appends;
      }
      await appendAll(log, ["last"]);
      const end = await log.end();
      await first.reaches(end);
      assert.equal(new Set(texts(first.got)).size, first.got.length);
      for (const { from, reader } of late) {
        await reader.reaches(end);
        assert.deepEqual(places(reader.got), places(first.got.slice(from)));
      }
    },
  },
  {
    name: "a follower that has read all gets what comes",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(10, "before"));
      const reader = new Reader(store, log);
      await reader.has(10);
      for (const n of [1, 2, 3]) {
        await appendAll(log, numbered(10, `later ${n}`));
        await reader.has(10 + n * 10);
      }
      assert.deepEqual(texts(reader.got).slice(-10), numbered(10, "later 3"));
    },
  },
  {
    name: "a follower is told how far it has got, with each entry, and in the end to the end",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(10));
      const end = await log.end();
      const reader = new Reader(store, log);
      await reader.until(() => reader.next >= end, `to have got to ${end}`);
      assert.deepEqual(places(reader.got), places(await readAll(store, log)));
      for (const n of [1, 2, 3]) {
        await appendAll(log, numbered(3, `later ${n}`));
        await reader.has(10 + n * 3);
        assert.ok(reader.next > reader.got.at(-1)!.offset, "past the last entry");
      }
    },
  },
  {
    name: "a closed follower gets nothing more, and the others go on",
    async run(store) {
      const log = await store.open();
      const [closing, other, inside] = [
        new Reader(store, log),
        new Reader(store, log),
        new Reader(store, log),
      ];
      const closesItself: { following?: Following; calls: number } = { calls: 0 };
      const closed = Promise.withResolvers<void>();
      closesItself.following = log.follow(0, {
        entries() {
          closesItself.calls++;
          closesItself.following?.close();
          inside.following.close();
          closed.resolve();
        },
        failed() {},
      });
      await appendAll(log, numbered(5));
      await closing.has(5);
      await other.has(5);
      await closed.promise;
      closing.following.close();
      closing.following.close();
      const reading = new Reader(store, log);
      reading.following.close();
      await appendAll(log, numbered(5, "later"));
      await other.has(10);
      assert.equal(closing.got.length, 5);
      assert.equal(reading.got.length, 0);
      assert.equal(closesItself.calls, 1);
      assert.ok(inside.got.length <= 5, "closed by another");
    },
  },
  {
    name: "an offset past the end fails the follower instead of leaving it to wait",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(3));
      const reader = new Reader(store, log, (await log.end()) + 1);
      await assert.rejects(reader.has(1), refusedAs("corrupt"));
      await appendAll(log, numbered(3));
      assert.deepEqual(reader.got, []);
    },
  },
  {
    name: "a follower that throws is told so, and takes no other along",
    async run(store) {
      const log = await store.open();
      const failures: string[] = [];
      let calls = 0;
      log.follow(0, {
        entries() {
          calls++;
          throw new Error("a bug");
        },
        failed: ({ code }) => failures.push(code),
      });
      const other = new Reader(store, log);
      await appendAll(log, numbered(3));
      await appendAll(log, numbered(3, "later"));
      await other.has(6);
      assert.deepEqual({ calls, failures }, { calls: 1, failures: ["unavailable"] });
    },
  },
  {
    name: "a follower is known to lag until it has had everything, and as long as it lives",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(10));
      const reader = new Reader(store, log);
      assert.equal(reader.following.lag_ms, Number.POSITIVE_INFINITY);
      await reader.has(10);
      // It is known when it is seen, which is not when the last entry comes.
      for (let more = 0; !Number.isFinite(reader.following.lag_ms); more++) {
        await appendAll(log, [`more ${more}`]);
        await reader.has(11 + more);
      }
      const lags = [reader.following.lag_ms, new Reader(store, log, await log.end()).following.lag_ms];
      assert.ok((lags[0] ?? -1) >= 0 && (lags[1] ?? -1) >= 0, `${lags}`);
    },
  },
];
