// The data directories of a new cluster, as Kafka's own StorageTool makes them. It is run once, for the first broker:
// starting a JVM takes longer than all else here, and the others' directories differ in two lines.

import { randomBytes } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LocalKafkaError } from "./errors.ts";
import type { Guardian } from "./guardian.ts";
import { javaCommand, writeLogging } from "./java.ts";

export interface Formatted {
  readonly id: number;
  readonly properties: string;
  readonly data: string;
}

/** `args`: more of them for the tool. Rejects with a `LocalKafkaError` that has the tool's words. */
export async function format(
  guardian: Guardian,
  brokers: readonly Formatted[],
  args: readonly string[],
): Promise<void> {
  const [first, ...others] = brokers;
  if (first === undefined) return;
  const tool = await javaCommand(
    "kafka.tools.StorageTool",
    ["format", "--cluster-id", randomId(), "--config", first.properties, ...args],
    { heap: 128, logging: await writeLogging(guardian.directory, "warn") },
  );
  const log = join(guardian.directory, "format.log");
  const ward = await guardian.run({ name: "format", ...tool, out: log, err: log });
  if ((await ward.ended).code !== 0)
    throw new LocalKafkaError(`Kafka's data directory could not be made:\n${await readFile(log, "utf8")}`);
  for (const { id, data } of others) {
    await cp(first.data, data, { recursive: true });
    const meta = join(data, "meta.properties");
    const own = (await readFile(meta, "utf8")).replace(/^node\.id=.*$/m, `node.id=${id}`);
    await writeFile(meta, own.replace(/^directory\.id=.*$/m, `directory.id=${randomId()}`));
  }
}

/** 128 bits as Kafka writes them. Never with a dash first, which a tool would take for an option. */
function randomId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("base64url");
}
