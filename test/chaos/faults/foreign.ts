// What others write into the log's topic: a producer to whom Usher's records mean nothing, or too much.

import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { runTool } from "@usher/local-kafka";
import { EnvelopeSchema, RecordSchema } from "@usher/protocol/log";
import { StatusSchema } from "@usher/protocol/queue";
import { forged } from "../log/envelope.ts";
import type { Message } from "../log/kcat.ts";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

const KiB = 1024;

/** Bytes, and what is no record whatever its bytes; once in each compression that there is. */
function noRecords(): Message[] {
  const status = create(StatusSchema, { notice: "hello", ticket: { queue: "orders", number: 1 } });
  const record = create(RecordSchema, { kind: { case: "genesis", value: { id: randomBytes(16) } } });
  return [
    ...[1, 17, 300, 64 * KiB].map((length) => ({ key: "orders", value: randomBytes(length) })),
    { key: "orders", value: undefined },
    { key: "gate", value: new Uint8Array() },
    { key: randomBytes(100).toString("hex"), value: toBinary(StatusSchema, status) },
    { value: toBinary(RecordSchema, record) },
    { key: "gate", value: Buffer.from("{}"), headers: { traceparent: "x".repeat(100 * KiB) } },
    ...(["gzip", "snappy", "lz4", "zstd"] as const).map((compression) => ({
      key: "gate",
      value: Buffer.alloc(8 * KiB, "the same again and again "),
      compression,
    })),
  ];
}

/** How many of the log's own records are copied and forged. */
const COPIED = 60;

/** Records as Usher writes them that must not count: what is in the log already, and of a session that nobody opened,
 * there also of a newer level. (Who forges the opening of a session, too, is a writer, whom rights must keep out.) */
async function records(scene: Scene): Promise<Message[]> {
  const log = (await scene.log()).filter(({ value }) => !opensSession(value));
  const stranger = randomBytes(8).readBigUInt64LE() | 1n;
  return log.slice(0, COPIED).flatMap(({ key, value }, at) => {
    const sequence = at + 1;
    const forgeries = [
      { session: stranger, sequence },
      { session: stranger, sequence, formatLevel: 9 },
    ];
    const values = [value, ...forgeries.map((outside) => forged(value, () => outside))];
    return values.map((one) => ({ ...(key !== undefined && key !== "" && { key }), value: one }));
  });
}

async function writeGarbage(scene: Scene): Promise<void> {
  const folder = join(scene.folder, "garbage");
  await mkdir(folder);
  const messages = [...noRecords(), ...(await records(scene))];
  await scene.kcat.write(scene.topic, folder, messages);
  await transact(scene);
}

/** A producer with transactions, whose markers take offsets in between. */
async function transact({ cluster, topic, others }: Scene): Promise<void> {
  const records = ["--num-records", "40", "--record-size", "100", "--throughput", "20"];
  const transactions = ["--transactional-id", `${topic}-foreign`, "--transaction-duration-ms", "300"];
  const { code, stderr } = await runTool("org.apache.kafka.tools.ProducerPerformance", [
    ...["--topic", topic, ...records, ...transactions],
    ...["--producer-props", `bootstrap.servers=${cluster.inside.join(",")}`],
  ]);
  if (code !== 0) others.push(`the foreign producer's transactions failed: ${stderr}`);
}

export const FOREIGN: readonly Fault[] = [
  {
    name: "garbage",
    about: "a foreign producer writes garbage, forged records, and transactions",
    strike: writeGarbage,
  },
];

function opensSession(value: Uint8Array): boolean {
  const { record } = fromBinary(EnvelopeSchema, value);
  return fromBinary(RecordSchema, record).kind.case === "sessionOpened";
}
