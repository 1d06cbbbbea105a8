// Appends records, with their payloads, for ever, several at a time, and says of each when it was acknowledged (its
// number, in a line, written before anything else happens). Arguments: the directory, the round, and "early" to say so
// before it is true, which the crash test must notice.

import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { openSqliteLog } from "../../src/index.ts";
import { AT_ONCE } from "./appending.ts";
import { recordEntry, recordPayload } from "./records.ts";

const [directory, round, early] = process.argv.slice(2);
const log = await openSqliteLog({ directory: directory! });
// Where there is a cache, a killed process would leave nothing in it.
flushCompileCache();
const writer = log.openWriter();
let next = 0;

async function appendForEver(): Promise<never> {
  for (;;) {
    const id = { round: Number(round), n: next++ };
    const append = writer.append(recordEntry(id), { payload: recordPayload(id) });
    if (!early) await append;
    writeSync(1, `${id.n}\n`);
    await append;
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, appendForEver));
