// Opens the log in the directory given, says how that went (one line of JSON), and holds it until its input ends.

import { writeSync } from "node:fs";
import { LogError, openSqliteLog } from "../../src/index.ts";

const directory = process.argv[2]!;
try {
  const log = await openSqliteLog({ directory });
  writeSync(1, `${JSON.stringify({ end: await log.end() })}\n`);
  for await (const _ of process.stdin);
  await log.close();
} catch (error) {
  const { code, message } = LogError.from(error);
  writeSync(1, `${JSON.stringify({ code, message })}\n`);
}
