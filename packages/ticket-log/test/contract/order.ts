// One order, decided once.

import assert from "node:assert/strict";
import { pick, random } from "../../../../test/support/random.ts";
import { BATCH } from "../../src/limits.ts";
import { appendAll, entry, numbered, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { Reader, readAll } from "./reader.ts";

export const orderChecks: readonly LogCheck[] = [
  {
    name: "entries are read back in the order of the appends",
    async run(store) {
      const log = await store.open();
      const names = numbered(3 * BATCH.records);
      await appendAll(log, names);
      assert.deepEqual(texts(await readAll(store, log)), names);
    },
  },
  {
    name: "offsets rise, and an entry keeps its own when the log is opened again",
    async run(store) {
      const log = await store.open();
      await appendAll(log, numbered(100, "before"));
      const before = await readAll(store, log);
      await log.close();
      const again = await store.open();
      await appendAll(again, numbered(100, "after"));
      const all = await readAll(store, again);
      assert.deepEqual(texts(all), [...numbered(100, "before"), ...numbered(100, "after")]);
      assert.deepEqual(
        all.slice(0, 100).map(({ offset }) => offset),
        before.map(({ offset }) => offset),
      );
      assert.ok(all.every(({ offset }, n) => n === 0 || offset > all[n - 1]!.offset));
    },
  },
  {
    name: "of many writers at once, each keeps its order, and all followers see the same order of all",
    async run(store) {
      const log = await store.open();
      const next = random(7);
      const readers = [new Reader(store, log)];
      const writers = numbered(8, "writer").map(async (name) => {
        const writer = log.openWriter();
        for (let at = 0; at < 250; ) {
          const some = numbered(250, name).slice(at, at + 1 + pick(next, 20));
          at += some.length;
          await Promise.all(some.map((text) => writer.append(entry(text))));
          if (readers.length < 8) readers.push(new Reader(store, log));
        }
        await writer.close();
      });
      await Promise.all(writers);
      const end = await log.end();
      await Promise.all(readers.map((reader) => reader.reaches(end)));
      const order = texts(readers[0]!.got);
      for (const { got } of readers) assert.deepEqual(texts(got), order);
      for (const name of numbered(8, "writer")) {
        assert.deepEqual(
          order.filter((text) => text.startsWith(`${name} `)),
          numbered(250, name),
        );
      }
    },
  },
  {
    name: "an urgent entry goes before what waits, and leaves the order of the rest as it is",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const names = numbered(4 * BATCH.records);
      const appends = names.map((name) => writer.append(entry(name)));
      appends.push(writer.append(entry("urgent 0"), { urgent: true }));
      appends.push(writer.append(entry("urgent 1"), { urgent: true }));
      await Promise.all(appends);
      const order = texts(await readAll(store, log));
      const urgent = order.filter((text) => text.startsWith("urgent"));
      assert.deepEqual(urgent, ["urgent 0", "urgent 1"]);
      // The first batches may have been on their way; the last cannot.
      assert.ok(order.indexOf("urgent 1") < names.length - BATCH.records, "it waited");
      assert.deepEqual(
        order.filter((text) => !text.startsWith("urgent")),
        names,
      );
    },
  },
  {
    name: "the end is the offset after the last entry",
    async run(store) {
      const log = await store.open();
      assert.equal(await log.end(), 0);
      await appendAll(log, numbered(10));
      const end = await log.end();
      const all = await readAll(store, log);
      assert.equal(end, all.at(-1)!.offset + 1);
      const reader = new Reader(store, log, end);
      await appendAll(log, ["next"]);
      await reader.has(1);
      assert.deepEqual(texts(reader.got), ["next"]);
      assert.ok((await log.end()) > end);
    },
  },
];
