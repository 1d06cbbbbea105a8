// Whether it is still the log that it was: topics that are deleted, made anew or cut short, followed or not.

import { rm } from "node:fs/promises";
import { type KafkaCluster, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { Program } from "../../../test/support/program.ts";
import type { LogError, TicketLog } from "../src/index.ts";
import { appendAll, numbered, texts } from "./contract/entries.ts";
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
  nodes = new Nodes({ brokers: kafka.brokers, timings: { gone_ms: 1_000, short_ms: 1_000 } });
});

afterEach(() => nodes.close());

async function remake(topic: string, values: readonly string[]): Promise<void> {
  const settings = await stranger.settings(topic);
  await stranger.admin.deleteTopics({ topics: [topic] });
  const { "retention.ms": retention = "-1" } = settings;
  const fit = { "compression.type": "uncompressed", "message.timestamp.type": "LogAppendTime" };
  // Kafka takes a moment to forget the old one.
  await eventually(() => stranger.create(topic, { ...fit, "retention.ms": retention }));
  if (values.length > 0)
    await stranger.producer.send({ topic, messages: values.map((value) => ({ key: "orders", value })) });
}

function failed(reader: Reader): Promise<LogError> {
  return reader
    .until(() => false, "the failure")
    .then(
      () => expect.unreachable(),
      () => {
        if (reader.failure === undefined) throw new Error("it did not fail");
        return reader.failure;
      },
    );
}

async function appendOutcome(log: TicketLog): Promise<unknown> {
  try {
    await appendAll(log, ["afterwards"]);
  } catch (error) {
    return error;
  }
  return "appended";
}

describe("a topic that is followed", () => {
  it("and deleted fails the followers, and the log takes nothing more", async () => {
    const { log } = await nodes.open();
    await appendAll(log, numbered(5));
    const readers = [new Reader({}, log), new Reader({}, log)];
    for (const reader of readers) await reader.has(5);
    await stranger.admin.deleteTopics({ topics: [nodes.queues] });
    for (const reader of readers) {
      expect(await failed(reader)).toMatchObject({
        code: "corrupt",
        message: expect.stringContaining(`the topic ${nodes.queues} is not the log that it was: it is gone`),
      });
    }
    expect(await appendOutcome(log)).toMatchObject({ code: "corrupt", outcome: "refused" });
    expect(() => log.openWriter()).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  it.each([
    ["no", 0],
    ["fewer", 2],
    ["as many", 5],
    ["more", 50],
  ])("and made anew, with %s records than before, delivers none of them", async (_, count) => {
    const { log } = await nodes.open();
    await appendAll(log, numbered(5));
    const reader = new Reader({}, log);
    await reader.has(5);
    await remake(nodes.queues, numbered(count, "another"));
    expect(await failed(reader)).toMatchObject({ code: "corrupt" });
    expect(texts(reader.got)).toEqual(numbered(5));
    expect(await appendOutcome(log)).toMatchObject({ code: "corrupt", outcome: "refused" });
  });

  // One that sleeps where it waits for records has a fetch under way, and one that sleeps in their midst has not.
  it.each([
    ["waiting for records", "entry 99"],
    ["taking one", "entry 4"],
  ])(
    "and made anew while the process slept, %s, delivers nothing of the new one when it wakes",
    async (_, last) => {
      const { log, options } = await nodes.open();
      await appendAll(log, numbered(5));
      const spool = { directory: `${options.spool.directory}-sleeper` };
      const sleeper = new Program("packages/ticket-log/test/programs/kafka-follow.ts", [
        JSON.stringify({ ...options, spool }),
        last,
      ]);
      await sleeper.says(/^entry 4$/m);
      sleeper.kill("SIGSTOP");
      await log.close();
      await remake(nodes.queues, numbered(50, "another"));
      // One that we stopped just before it stops itself does so only now: it is woken until it speaks.
      await eventually(() => {
        sleeper.kill("SIGCONT");
        expect(sleeper.stdout).toMatch(/^failed: corrupt/m);
      });
      expect(sleeper.stdout).not.toContain("another");
      await sleeper.stop();
    },
  );

  it("and whose first records are deleted is followed on, with a word about who starts next", async () => {
    const { log, told } = await nodes.open();
    await appendAll(log, numbered(5));
    const reader = new Reader({}, log);
    await reader.has(5);
    await stranger.deleteBelow(nodes.queues, 3);
    await appendAll(log, ["later"]);
    await reader.has(6);
    await eventually(() => expect(told).toHaveLength(1));
    expect(told[0]).toMatch(/^corrupt: .* its first 3 records have been deleted/);
    const late = new Reader({}, log);
    expect(await failed(late)).toMatchObject({
      message: expect.stringContaining("it begins at offset 3, and 0 is needed"),
    });
    await appendAll(log, ["later still"]);
    await reader.has(7);
  });
});

describe("a topic that this node has known", () => {
  beforeEach(async () => {
    const { log } = await nodes.open();
    const reader = new Reader({}, log);
    await appendAll(log, numbered(5));
    await reader.has(5);
    await log.close();
  });

  it("is opened again as it was", async () => {
    const { log } = await nodes.open();
    expect(texts(await readAll({}, log))).toEqual(numbered(5));
  });

  it("is not made again when it is gone", async () => {
    await stranger.admin.deleteTopics({ topics: [nodes.queues] });
    expect(await nodes.refusal()).toMatchObject({
      code: "corrupt",
      retryable: false,
      message: expect.stringContaining("it is gone"),
    });
    expect(await stranger.admin.listTopics()).not.toContain(nodes.queues);
  });

  it("is refused when it is empty", async () => {
    await remake(nodes.queues, []);
    expect(await nodes.refusal()).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("it is empty, and was not"),
    });
  });

  it("is refused when it begins with another record, until the spool is removed", async () => {
    await remake(nodes.queues, numbered(50, "another"));
    const refusal = await nodes.refusal();
    expect(refusal).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("it begins with another record"),
    });
    const [, directory] = /remove the spool of each \(here: ([^)]+)\)/.exec(refusal.message) ?? [];
    await rm(directory ?? "", { recursive: true });
    const { log } = await nodes.open();
    expect(texts(await readAll({}, log))).toEqual(numbered(50, "another"));
  });

  it("is refused when its first records have been deleted", async () => {
    await stranger.deleteBelow(nodes.queues, 2);
    expect(await nodes.refusal()).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("it begins at offset 2, and what was before it is needed"),
    });
  });
});

describe("the topic of the payloads", () => {
  const payload = (sequence: number) => ({
    key: { session: 1n, sequence, attempt: 0 },
    bytes: new Uint8Array([sequence]),
  });

  it("that is made anew while it is followed is followed anew, and said to be", async () => {
    const { log, told } = await nodes.open();
    await log.putPayload(payload(1));
    expect(await log.getPayload(payload(1).key)).toEqual(payload(1).bytes);
    await remake(nodes.payloads, []);
    await eventually(() => log.putPayload(payload(2)));
    await eventually(async () => expect(await log.getPayload(payload(2).key)).toEqual(payload(2).bytes));
    expect(told).toContainEqual(expect.stringContaining(`the topic ${nodes.payloads} is not what it was`));
  });

  it("that is made anew while the node is away is followed anew", async () => {
    const { log } = await nodes.open();
    for (const sequence of [1, 2, 3]) await log.putPayload(payload(sequence));
    expect(await log.getPayload(payload(3).key)).toEqual(payload(3).bytes);
    await log.close();
    await remake(nodes.payloads, []);
    const other = await nodes.open({ node: "other" });
    for (const sequence of [4, 5, 6, 7]) await other.log.putPayload(payload(sequence));
    const again = await nodes.open();
    await eventually(async () =>
      expect(await again.log.getPayload(payload(4).key)).toEqual(payload(4).bytes),
    );
  });

  it("of which what this node has not seen has gone is followed from where it begins", async () => {
    const { log } = await nodes.open();
    await log.putPayload(payload(1));
    expect(await log.getPayload(payload(1).key)).toEqual(payload(1).bytes);
    await log.close();
    const other = await nodes.open({ node: "other" });
    for (const sequence of [2, 3, 4]) await other.log.putPayload(payload(sequence));
    await stranger.deleteBelow(nodes.payloads, 3);
    const again = await nodes.open();
    const found = await Promise.all(
      [1, 2, 3, 4].map((sequence) => eventually(() => again.log.getPayload(payload(sequence).key))),
    );
    expect(found).toEqual([payload(1).bytes, undefined, undefined, payload(4).bytes]);
    expect(again.told).toEqual([]);
  });
});
