// Ends: what was accepted is written, what comes later is refused.

import assert from "node:assert/strict";
import { entry, numbered, refusedAs, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { Reader, readAll } from "./reader.ts";

const key = { session: 1n, sequence: 1, attempt: 0 };

export const closingChecks: readonly LogCheck[] = [
  {
    name: "closing while busy writes and resolves what was accepted",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const names = numbered(2_000);
      const busy: Promise<unknown>[] = names.map((name) => writer.append(entry(name)));
      busy.push(log.putPayload({ key, bytes: Buffer.from("payload") }));
      const fetched = log.getPayload({ ...key, sequence: 2 });
      await Promise.all([log.close(), ...busy]);
      assert.equal(await fetched, undefined);
      const again = await store.open();
      assert.deepEqual(texts(await readAll(store, again)), names);
      assert.equal((await again.getPayload(key))?.byteLength, 7);
    },
  },
  {
    name: "a closed log refuses every call as closed, but closing it again",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const closed = refusedAs("closed");
      const closing = log.close();
      await assert.rejects(writer.append(entry("late")), closed);
      await Promise.all([closing, log.close()]);
      await log.close();
      await assert.rejects(writer.append(entry("late")), closed);
      await assert.rejects(log.putPayload({ key, bytes: new Uint8Array(1) }), closed);
      await assert.rejects(log.getPayload(key), closed);
      await assert.rejects(log.dropPayloads([key]), closed);
      await assert.rejects(log.dropPayloadsOlderThan(0), closed);
      await assert.rejects(log.end(), closed);
      assert.throws(() => log.openWriter(), closed);
      assert.throws(() => log.follow(0, { entries() {}, failed() {} }), closed);
      await writer.close();
      assert.deepEqual(await readAll(store, await store.open()), []);
    },
  },
  {
    name: "a closing writer waits for its own appends, takes no more, and stops no other",
    async run(store) {
      const log = await store.open();
      const [writer, other] = [log.openWriter(), log.openWriter()];
      let ended = 0;
      for (const name of numbered(600))
        writer.append(entry(name)).then(
          () => ended++,
          () => {},
        );
      const closing = writer.close();
      await assert.rejects(writer.append(entry("late")), refusedAs("closed"));
      await closing;
      assert.equal(ended, 600);
      await writer.close();
      await other.append(entry("other"));
      assert.deepEqual(texts(await readAll(store, log)), [...numbered(600), "other"]);
    },
  },
  {
    name: "closing the log ends its followers without a word",
    async run(store) {
      const log = await store.open();
      const writer = log.openWriter();
      const live = new Reader(store, log);
      await writer.append(entry("before"));
      await live.has(1);
      const reading = new Reader(store, log);
      const appended = writer.append(entry("while closing"));
      await log.close();
      await appended;
      assert.deepEqual(texts(live.got), ["before"]);
      assert.deepEqual(texts(reading.got), []);
      assert.deepEqual([live.failure, reading.failure], [undefined, undefined]);
    },
  },
];
