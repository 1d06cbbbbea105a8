// Uses a Kafka log, well and in vain, and says only that it is done. Its argument: brokers, topics and directory as JSON.

import { LogError, openKafkaLog } from "../../src/index.ts";

const { brokers, topics, directory } = JSON.parse(process.argv[2] ?? "{}");

async function open(named: readonly string[], name: string) {
  return await openKafkaLog({
    ...{ brokers: named, topics, replication: 1, payload_retention_ms: 86_400_000, node: name },
    spool: { directory: `${directory}-${name}` },
    onFault: () => {},
    timings: { open_ms: 500 },
  });
}

const log = await open(brokers, "well");
const read = Promise.withResolvers<void>();
log.follow(0, { entries: () => read.resolve(), failed: read.reject });
const payload = { key: { session: 1n, sequence: 1, attempt: 0 }, bytes: new Uint8Array(10) };
await log.openWriter().append({ key: "orders", value: new Uint8Array(10) }, { payload });
await read.promise;
await log.close();
const refusal = await open(["127.0.0.1:1"], "vain").then(() => undefined, LogError.from);
if (refusal?.code === "unavailable") console.log("done");
