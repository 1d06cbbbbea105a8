// What others do in the same cluster: write what is no entry, leave transactions open, lower limits. And what is kept of
// the payloads.

import { rm, writeFile } from "node:fs/promises";
import { type KafkaCluster, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import kafkajs from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { mayMount, mountSmallDisk } from "../../../test/support/small-disk.ts";
import type { PayloadKey } from "../src/index.ts";
import { appendAll, entry, numbered, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { Nodes, Stranger } from "./kafka-nodes.ts";

let kafka: KafkaCluster;
let stranger: Stranger;
let nodes: Nodes;

beforeAll(async () => {
  kafka = await startKafka();
  stranger = await Stranger.at(kafka.brokers);
}, START_WAIT_MS);

afterAll(async () => {
  await stranger?.close();
  await kafka?.close();
});

beforeEach(() => {
  nodes = new Nodes({ brokers: kafka.brokers });
});

afterEach(() => nodes.close());

describe("a stranger's records", () => {
  it("are delivered as what can be made of them, in their place", async () => {
    const { log } = await nodes.open();
    const live = new Reader({}, log);
    await appendAll(log, ["before"]);
    const value = Buffer.from("garbage");
    const messages: kafkajs.Message[] = [
      { key: null, value },
      { key: Buffer.from([0xff, 0xfe]), value: null },
      { key: "twice", value, headers: { a: ["1", "2"], constructor: "x", "7": "seven" } },
      { key: "empty", value: Buffer.alloc(0), headers: { "": "" } },
    ];
    await stranger.producer.send({ topic: nodes.queues, messages });
    const compression = kafkajs.CompressionTypes.GZIP;
    await stranger.producer.send({ topic: nodes.queues, messages: [{ key: "gzip", value }], compression });
    await appendAll(log, ["after"]);
    await live.has(7);
    expect(live.got.map(({ key, offset }) => [offset, key])).toEqual([
      [0, "orders"],
      [1, ""],
      [2, "\ufffd\ufffd"],
      [3, "twice"],
      [4, "empty"],
      [5, "gzip"],
      [6, "orders"],
    ]);
    expect(texts(live.got)).toEqual(["before", "garbage", "", "garbage", "", "garbage", "after"]);
    expect(live.got[3]?.headers).toEqual({ a: "2", constructor: "x", "7": "seven" });
    expect(live.got[4]?.headers).toEqual({ "": "" });
    expect(await readAll({}, log)).toEqual(live.got);
  });

  it("do not hold up the log while their transaction is open, and leave gaps when it ends", async () => {
    const { log } = await nodes.open();
    const live = new Reader({}, log);
    const other = await Stranger.at(kafka.brokers, `tx-${nodes.queues}`);
    const ends = { commit: ["committed"], abort: ["aborted"] };
    for (const end of ["commit", "abort"] as const) {
      const transaction = await other.producer.transaction();
      await transaction.send({ topic: nodes.queues, messages: [{ value: ends[end][0] ?? "" }] });
      await appendAll(log, [`while open: ${end}`]);
      await live.until(() => texts(live.got).includes(`while open: ${end}`), end);
      await transaction[end]();
      // Kafka ends it with a marker, which it writes in its own time.
      await eventually(async () => expect(await log.end()).toBe(end === "commit" ? 3 : 7));
      await appendAll(log, [`after ${end}`]);
      await live.until(() => texts(live.got).includes(`after ${end}`), end);
    }
    expect(live.got.map(({ offset }) => offset)).toEqual([0, 1, 3, 4, 5, 7]);
    expect(await log.end()).toBe(8);
    const late = new Reader({}, log, 7);
    await late.has(1);
    expect(texts(late.got)).toEqual(["after abort"]);
    await other.close();
  });

  it("that end the log with a marker of Kafka's leave a follower at the end", async () => {
    const { log } = await nodes.open();
    const other = await Stranger.at(kafka.brokers, `tx-${nodes.queues}`);
    const transaction = await other.producer.transaction();
    await transaction.send({ topic: nodes.queues, messages: [{ value: "theirs" }] });
    await transaction.commit();
    const reader = new Reader({}, log);
    await eventually(async () => expect(await log.end()).toBe(2));
    await reader.until(() => reader.next === 2, "to have got past the marker");
    await eventually(() => expect(reader.following.lag_ms).toBeLessThan(Number.POSITIVE_INFINITY));
    expect(texts(reader.got)).toEqual(["theirs"]);
    await appendAll(log, ["ours"]);
    await reader.has(2);
    expect(reader.got.map(({ offset }) => offset)).toEqual([0, 2]);
    await other.close();
  });

  it("among the payloads are passed over", async () => {
    const { log } = await nodes.open();
    const value = Buffer.from("theirs");
    const messages = [
      { key: null, value },
      { key: "no key", value },
      { key: "1/1/0", value: null },
      { key: "99999999999999999999/1/0", value },
      { key: "1/99999999999999999/0", value },
      { key: "1/1/0", value, headers: { part: "3/2" } },
      { key: "1/1/0", value, headers: { part: "x" } },
      ...["never", "1.5", "1e300", "-1", "Infinity"].map((stored) => ({
        ...{ key: "1/1/0", value },
        headers: { "stored-ms": stored },
      })),
      { key: "1/1/0", value, headers: { part: "2/2", put: "half" } },
    ];
    await stranger.producer.send({ topic: nodes.payloads, messages });
    expect(await log.getPayload(payloadKey(1))).toBeUndefined();
    await log.putPayload({ key: payloadKey(1), bytes: Buffer.from("ours") });
    expect(await text(log.getPayload(payloadKey(1)))).toBe("ours");
  });
});

function payloadKey(sequence: number): PayloadKey {
  return { session: 1n, sequence, attempt: 0 };
}

async function text(bytes: Promise<Uint8Array | undefined>): Promise<string | undefined> {
  const found = await bytes;
  return found && Buffer.from(found).toString();
}

describe("a limit on messages that is lowered", () => {
  it("refuses what is larger, takes what is not, and the writer goes on", async () => {
    const { log } = await nodes.open();
    const fit = { "compression.type": "uncompressed", "message.timestamp.type": "LogAppendTime" };
    await stranger.set(nodes.queues, { ...fit, "retention.ms": "-1", "max.message.bytes": "1000" });
    const writer = log.openWriter();
    await expect(writer.append({ key: "orders", value: new Uint8Array(2_000) })).rejects.toMatchObject({
      code: "too_large",
      outcome: "refused",
      message: expect.stringContaining("max.message.bytes"),
    });
    await writer.append(entry("small"));
    expect(texts(await readAll({}, log))).toEqual(["small"]);
  });

  it("refuses no small ones along with a large one, nor for being many, and keeps their order", async () => {
    const { log } = await nodes.open();
    const fit = { "compression.type": "uncompressed", "message.timestamp.type": "LogAppendTime" };
    for (const topic of [nodes.queues, nodes.payloads])
      await stranger.set(topic, { ...fit, "retention.ms": "-1", "max.message.bytes": "5000" });
    const names = numbered(200, "one of many");
    const writer = log.openWriter();
    const before = names.slice(0, 100).map((name) => writer.append(entry(name)));
    const large = writer.append({ key: "orders", value: new Uint8Array(6_000) });
    const after = names.slice(100).map((name) => writer.append(entry(name)));
    const payloads = names.map((_, sequence) =>
      log.putPayload({ key: payloadKey(sequence), bytes: new Uint8Array(100).fill(sequence) }),
    );
    await expect(large).rejects.toMatchObject({ code: "too_large", outcome: "refused" });
    await Promise.all([...before, ...after, ...payloads]);
    expect(texts(await readAll({}, log))).toEqual(names);
    expect(await log.getPayload(payloadKey(199))).toEqual(new Uint8Array(100).fill(199));
  });
});

describe("the spool", () => {
  const MiB = 1024 * 1024;

  it("without room for all fetches from the topic again what it has not, and says so once", async () => {
    const root = await nodes.open();
    const spool = { directory: root.options.spool.directory, bytes_max: 3 * MiB };
    await root.log.close();
    const { log, told } = await nodes.open({ spool });
    const sequences = [1, 2, 3, 4, 5, 6];
    const put = (sequence: number) =>
      log.putPayload({ key: payloadKey(sequence), bytes: new Uint8Array(MiB + sequence).fill(sequence) });
    const found = async ({ log }: Pick<typeof root, "log">) => {
      const payloads = await Promise.all(sequences.map((sequence) => log.getPayload(payloadKey(sequence))));
      return payloads.map((bytes) => bytes && [bytes.byteLength - MiB, bytes.at(-1)]);
    };
    for (const sequence of sequences) await put(sequence);
    const all = sequences.map((sequence) => [sequence, sequence]);
    expect(await found({ log })).toEqual(all);
    expect(told).toEqual([expect.stringMatching(/^overloaded: .*kafka\.spool\.max_bytes/)]);
    await log.dropPayloads([payloadKey(1), payloadKey(2)]);
    await eventually(() => expect(told.slice(1)).toEqual([expect.stringMatching(/^mended: keeping all/)]));
    await log.close();
    const again = await nodes.open({ spool });
    expect(await found(again)).toEqual([undefined, undefined, ...all.slice(2)]);
  });

  it("has of what the topic has lost what there was room for", async () => {
    const root = await nodes.open();
    const spool = { directory: root.options.spool.directory, bytes_max: 20 };
    await root.log.close();
    const { log } = await nodes.open({ spool });
    const sequences = [1, 2, 3, 4];
    for (const sequence of sequences)
      await log.putPayload({ key: payloadKey(sequence), bytes: new Uint8Array(10).fill(sequence) });
    // The last is here when all are.
    expect(await log.getPayload(payloadKey(4))).toBeDefined();
    await log.close();
    await stranger.deleteBelow(nodes.payloads, 3);
    const again = await nodes.open({ spool });
    const found = await Promise.all(sequences.map((sequence) => again.log.getPayload(payloadKey(sequence))));
    expect(found.map((bytes) => bytes?.at(-1))).toEqual([1, 2, undefined, 4]);
  });

  it("of a node that comes later has what the others put before", async () => {
    const { log } = await nodes.open();
    const bytes = new Uint8Array(2 * MiB).fill(7);
    await log.putPayload({ key: payloadKey(1), bytes });
    const other = await nodes.open({ node: "other" });
    expect(await other.log.getPayload(payloadKey(1))).toEqual(bytes);
    await log.putPayload({ key: payloadKey(1), bytes: Buffer.from("short") });
    expect(await text(other.log.getPayload({ ...payloadKey(2) }))).toBeUndefined();
    expect(await text(other.log.getPayload(payloadKey(1)))).toBe("short");
  });

  it("shows the payload before for as long as one that replaces it is not whole", async () => {
    const { log } = await nodes.open();
    await log.putPayload({ key: payloadKey(1), bytes: Buffer.from("before") });
    const headers = (part: string) => ({ "stored-ms": "1", part, put: "p" });
    const send = (part: string, value: string) =>
      stranger.producer.send({
        topic: nodes.payloads,
        messages: [{ key: "1/1/0", value, headers: headers(part) }],
      });
    await send("1/2", "half");
    // A payload that is not there waits for all that was put before the question.
    expect(await log.getPayload(payloadKey(2))).toBeUndefined();
    expect(await text(log.getPayload(payloadKey(1)))).toBe("before");
    await send("2/2", " and half");
    expect(await log.getPayload(payloadKey(2))).toBeUndefined();
    expect(await text(log.getPayload(payloadKey(1)))).toBe("half and half");
  });

  it("forgets on each node what is dropped there, and keeps it on others", async () => {
    const [a, b] = [await nodes.open(), await nodes.open({ node: "other" })];
    await a.log.putPayload({ key: payloadKey(1), bytes: Buffer.from("kept by b") });
    await a.log.dropPayloads([payloadKey(1)]);
    expect(await text(a.log.getPayload(payloadKey(1)))).toBeUndefined();
    expect(await text(b.log.getPayload(payloadKey(1)))).toBe("kept by b");
  });

  it("forgets what another has put by the time of the drop, though it has not seen it yet", async () => {
    const [a, b] = [await nodes.open(), await nodes.open({ node: "other" })];
    const keys = Array.from({ length: 50 }, (_, sequence) => payloadKey(sequence));
    await Promise.all(keys.map((key) => a.log.putPayload({ key, bytes: new Uint8Array(100_000) })));
    await b.log.dropPayloads(keys);
    const found = await Promise.all(keys.map((key) => b.log.getPayload(key)));
    expect(found.filter((bytes) => bytes !== undefined)).toEqual([]);
  });
});

describe("the spool's disk", () => {
  it.skipIf(!mayMount())(
    "that is full holds up payloads alone, is told once, and goes on with room",
    async () => {
      await using disk = await mountSmallDisk(8 * 1024 * 1024);
      const spool = { directory: `${disk.directory}/spool` };
      const { log, told } = await nodes.open({ spool, timings: { payload_wait_ms: 300 } });
      await disk.fill(process.pid);
      const payload = { key: payloadKey(1), bytes: new Uint8Array(1_000_000).fill(1) };
      await log.openWriter().append(entry("with a payload"), { payload });
      await expect(log.getPayload(payload.key)).rejects.toMatchObject({ code: "unavailable" });
      await appendAll(log, ["without"]);
      expect(texts(await readAll({}, log))).toEqual(["with a payload", "without"]);
      await eventually(() => expect(told).toHaveLength(1));
      expect(told[0]).toMatch(/^disk_full: .*spool\.db: there is no room/);
      await disk.makeRoom(process.pid);
      await eventually(async () => expect(await log.getPayload(payload.key)).toEqual(payload.bytes));
      await eventually(() => expect(told.slice(1)).toEqual([`mended: reading ${nodes.payloads} again`]));
      await log.close();
    },
  );

  it("that has damaged it is told, with what to do", async () => {
    const { log, options } = await nodes.open();
    await log.putPayload({ key: payloadKey(1), bytes: new Uint8Array(10) });
    await log.close();
    await writeFile(`${options.spool.directory}/spool.db`, Buffer.alloc(50_000, "garbage"));
    const refusal = await nodes.refusal();
    expect(refusal).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("the spool is damaged. Remove its directory"),
    });
    await rm(options.spool.directory, { recursive: true });
    const again = await nodes.open();
    expect(await again.log.getPayload(payloadKey(1))).toEqual(new Uint8Array(10));
  });
});

describe("many entries at once", () => {
  it("with and without payloads keep each writer's order, and none waits for another's payload", async () => {
    const { log } = await nodes.open();
    const [busy, free] = [log.openWriter(), log.openWriter()];
    const ends: string[] = [];
    const large = { key: payloadKey(1), bytes: new Uint8Array(16 * 1024 * 1024) };
    const all = [
      busy.append(entry("busy, with a payload"), { payload: large }).then(() => ends.push("busy")),
      ...numbered(5, "busy").map((name) => busy.append(entry(name))),
      free.append(entry("free")).then(() => ends.push("free")),
    ];
    await Promise.all(all);
    expect(ends).toEqual(["free", "busy"]);
    expect(texts(await readAll({}, log))).toEqual(["free", "busy, with a payload", ...numbered(5, "busy")]);
  });
});
