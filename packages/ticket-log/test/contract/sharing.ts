// Whether others write in the log, too.

import assert from "node:assert/strict";
import { LogError } from "../../src/log.ts";
import { appendAll, numbered, places, texts } from "./entries.ts";
import type { LogCheck } from "./harness.ts";
import { Reader } from "./reader.ts";

export const sharingChecks: readonly LogCheck[] = [
  {
    name: "a log says that it is shared if another node may have it open, which then sees the same, and refuses it otherwise",
    async run(store) {
      const log = await store.open();
      const other = await store.other?.();
      assert.equal(log.shared, other !== undefined);
      if (other === undefined) {
        const second = await store.open().then(() => undefined, LogError.from);
        assert.equal(second?.code, "in_use");
        return;
      }
      const theirs = await other.open();
      const readers = [new Reader(store, log), new Reader(store, theirs)];
      await Promise.all([appendAll(log, numbered(300, "ours")), appendAll(theirs, numbered(300, "theirs"))]);
      const end = Math.max(await log.end(), await theirs.end());
      const [ours, them] = await Promise.all(
        readers.map(async (reader) => {
          await reader.reaches(end);
          return reader.got;
        }),
      );
      assert.deepEqual(places(ours ?? []), places(them ?? []));
      for (const name of ["ours", "theirs"]) {
        const own = texts(ours ?? []).filter((text) => text.startsWith(name));
        assert.deepEqual(own, numbered(300, name));
      }
      const key = { session: 1n, sequence: 1, attempt: 0 };
      await log.putPayload({ key, bytes: Buffer.from("ours") });
      assert.equal(Buffer.from((await theirs.getPayload(key)) ?? []).toString(), "ours");
      await theirs.close();
      await appendAll(log, ["after"]);
      await readers[0]?.has(601);
    },
  },
];
