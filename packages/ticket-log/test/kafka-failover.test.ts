// Brokers that die, stop and are cut off while the log is written and followed: what was acknowledged is there once and
// in order, what was refused is not there, and what is unknown is there once or not at all.

import { type KafkaCluster, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { LogError, type TicketLog } from "../src/index.ts";
import { appendAll, entry, numbered, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { Nodes, Stranger } from "./kafka-nodes.ts";

let kafka: KafkaCluster;
let nodes: Nodes;

beforeAll(async () => {
  kafka = await startKafka({ brokers: 3, proxied: true });
}, START_WAIT_MS);

afterAll(() => kafka?.close());

/** Nodes that talk to the brokers directly, so that a dead one is really gone. */
beforeEach(() => {
  nodes = new Nodes({ brokers: kafka.inside, replication: 3 });
});

afterEach(async () => {
  await nodes.close();
});

async function leaderOf(topic: string) {
  const stranger = await Stranger.at(kafka.inside);
  const { topics } = await stranger.admin.fetchTopicMetadata({ topics: [topic] });
  await stranger.close();
  return kafka.broker(topics[0]?.partitions[0]?.leader ?? 0);
}

/** Writes through two writers, some at a time, until told to stop. */
class Load {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  readonly unknown: string[] = [];
  readonly #log: TicketLog;
  #stopped = false;
  readonly #ended: Promise<unknown>;

  constructor(log: TicketLog) {
    this.#log = log;
    this.#ended = Promise.all(["a", "b"].map((name) => this.#write(name)));
  }

  /** Resolves when so many more have been acknowledged. */
  async goesOn(more: number): Promise<void> {
    const target = this.acknowledged.length + more;
    await eventually(() => expect(this.acknowledged.length).toBeGreaterThanOrEqual(target), 45_000);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #write(name: string): Promise<void> {
    let writer = this.#log.openWriter();
    for (let at = 0; !this.#stopped; at += 20) {
      const names = Array.from({ length: 20 }, (_, n) => `${name} ${at + n}`);
      const ends = await Promise.allSettled(names.map((each) => writer.append(entry(each))));
      for (const [index, end] of ends.entries()) {
        const list = end.status === "fulfilled" ? this.acknowledged : this[LogError.from(end.reason).outcome];
        list.push(names[index] ?? "");
      }
      if (ends.some((end) => end.status === "rejected")) writer = this.#log.openWriter();
    }
  }
}

/** The log holds what was acknowledged, once and in each writer's order; nothing that was refused; the rest at most
 * once. */
async function demandHonest(log: TicketLog, load: Load): Promise<void> {
  const all = texts(await readAll({}, log));
  const count = new Map<string, number>();
  for (const each of all) count.set(each, (count.get(each) ?? 0) + 1);
  expect(load.acknowledged.filter((each) => count.get(each) !== 1)).toEqual([]);
  expect(load.refused.filter((each) => count.has(each))).toEqual([]);
  expect(load.unknown.filter((each) => (count.get(each) ?? 0) > 1)).toEqual([]);
  for (const name of ["a", "b"]) {
    const order = all.filter((each) => each.startsWith(`${name} `)).map((each) => Number(each.slice(2)));
    expect(order).toEqual(order.toSorted((one, other) => one - other));
  }
}

describe("the leader of the log", () => {
  it("that is killed while it is written takes nothing along, and its successor is followed in order", async () => {
    const { log } = await nodes.open();
    const reader = new Reader({}, log);
    const load = new Load(log);
    await load.goesOn(200);
    const leader = await leaderOf(nodes.queues);
    await leader.kill();
    await load.goesOn(200);
    await leader.start();
    await load.goesOn(200);
    await load.stop();
    expect([load.refused, load.unknown]).toEqual([[], []]);
    await reader.reaches(await log.end());
    expect(reader.failure).toBeUndefined();
    expect(texts(reader.got)).toEqual(texts(await readAll({}, log)));
    await demandHonest(log, load);
  });

  it("that is stopped and wakes again writes nothing twice", async () => {
    const { log } = await nodes.open();
    const reader = new Reader({}, log);
    const load = new Load(log);
    await load.goesOn(200);
    const leader = await leaderOf(nodes.queues);
    leader.pause();
    await load.goesOn(200);
    leader.resume();
    await load.goesOn(200);
    await load.stop();
    expect([load.refused, load.unknown]).toEqual([[], []]);
    await reader.reaches(await log.end());
    expect(reader.failure).toBeUndefined();
    await demandHonest(log, load);
  });
});

describe("all brokers", () => {
  it("killed at once and started again: every append ends honestly, and the log goes on by itself", async () => {
    const timings = { retry_ms: 1_000, request_ms: 1_000, payload_wait_ms: 500 };
    const { log, told } = await nodes.open({ timings });
    const reader = new Reader({}, log);
    const load = new Load(log);
    await load.goesOn(200);
    await Promise.all(kafka.members.map((member) => member.kill()));
    await eventually(() => expect(load.refused.length).toBeGreaterThan(0));
    await eventually(() => expect(told.length).toBeGreaterThan(0));
    await expect(log.end()).rejects.toMatchObject({ code: "unavailable" });
    const key = { session: 1n, sequence: 1, attempt: 0 };
    await expect(log.getPayload(key)).rejects.toMatchObject({ code: "unavailable" });
    await expect(log.putPayload({ key, bytes: new Uint8Array(1) })).rejects.toMatchObject({
      code: "unavailable",
      outcome: "refused",
    });
    const lag_ms = reader.following.lag_ms;
    await eventually(() => expect(reader.following.lag_ms).toBeGreaterThan(lag_ms + 500));
    await Promise.all(kafka.members.map((member) => member.start([1, 2, 3])));
    await load.goesOn(200);
    await load.stop();
    await reader.reaches(await log.end());
    expect(reader.failure).toBeUndefined();
    await demandHonest(log, load);
    await eventually(async () => {
      await log.putPayload({ key, bytes: new Uint8Array(1) });
      expect(await log.getPayload(key)).toHaveLength(1);
    });
    await eventually(() => expect(told.at(-1)).toMatch(/^mended: /));
    expect(told.filter((line) => line.startsWith("unavailable: Kafka"))).toHaveLength(1);
  });

  it("stopped: the log closes all the same, and what waited is told", async () => {
    const timings = { retry_ms: 1_000, request_ms: 1_000, connect_ms: 500, payload_wait_ms: 500 };
    const { log } = await nodes.open({ timings });
    const reader = new Reader({}, log);
    // The brokers have only just come back.
    await eventually(() => appendAll(log, ["before"]));
    await reader.has(1);
    for (const member of kafka.members) member.pause();
    try {
      const writers = [log.openWriter(), log.openWriter()];
      const ends = Promise.allSettled(
        writers.flatMap((writer) => numbered(700).map((name) => writer.append(entry(name)))),
      );
      const put = log.putPayload({ key: { session: 1n, sequence: 1, attempt: 0 }, bytes: new Uint8Array(1) });
      const got = log.getPayload({ session: 1n, sequence: 2, attempt: 0 });
      const others = Promise.allSettled([put, got, log.dropPayloads([])]);
      await log.close();
      expect((await ends).every(({ status }) => status === "rejected")).toBe(true);
      expect((await others).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(reader.failure).toBeUndefined();
      expect(await nodes.refusal({ timings: { ...timings, open_ms: 500 } })).toMatchObject({
        code: "unavailable",
      });
    } finally {
      for (const member of kafka.members) member.resume();
    }
  });
});

describe("an acknowledgement that is lost", () => {
  beforeEach(() => {
    nodes = new Nodes({ brokers: kafka.brokers, replication: 3 });
  });

  it("is asked for again, and the entry is in the log once", async () => {
    const { log } = await nodes.open();
    const writer = log.openWriter();
    await writer.append(entry("before"));
    const proxy = (await leaderOf(nodes.queues)).proxy();
    for (const name of numbered(5)) {
      const lost = proxy.dropNextAnswer("produce");
      await Promise.all([writer.append(entry(name)), lost]);
    }
    await writer.append(entry("after"));
    expect(texts(await readAll({}, log))).toEqual(["before", ...numbered(5), "after"]);
  });

  it("of a payload is asked for again, and the payload is there", async () => {
    const { log } = await nodes.open();
    const writer = log.openWriter();
    await writer.append(entry("before"));
    const payload = {
      key: { session: 1n, sequence: 1, attempt: 0 },
      bytes: new Uint8Array(1_000_000).fill(5),
    };
    const lost = (await leaderOf(nodes.payloads)).proxy().dropNextAnswer("produce");
    await Promise.all([writer.append(entry("with payload"), { payload }), lost]);
    expect(await log.getPayload(payload.key)).toEqual(payload.bytes);
    expect(texts(await readAll({}, log))).toEqual(["before", "with payload"]);
  });

  it("for good is told as unknown; its writer takes nothing more, others go on, and reading tells", async () => {
    const timings = { retry_ms: 1_000, request_ms: 500, connect_ms: 500 };
    const { log } = await nodes.open({ timings });
    const [writer, other] = [log.openWriter(), log.openWriter()];
    await writer.append(entry("before"));
    const proxies = kafka.members.map((member) => member.proxy());
    const lost = (await leaderOf(nodes.queues)).proxy().dropNextAnswer("produce");
    const first = outcomeOf(writer.append(entry("written, and not told")));
    await lost;
    for (const proxy of proxies) proxy.block();
    const [second, theirs] = [
      outcomeOf(writer.append(entry("too late"))),
      outcomeOf(other.append(entry("theirs"))),
    ];
    expect([await first, await second]).toEqual(["unknown", "refused"]);
    for (const proxy of proxies) proxy.unblock();
    expect(await outcomeOf(writer.append(entry("from a lost writer")))).toBe("refused");
    await eventually(async () => expect(await outcomeOf(log.openWriter().append(entry("after")))).toBe("ok"));
    const all = texts(await readAll({}, log));
    const written = ["before", "written, and not told", ...((await theirs) === "ok" ? ["theirs"] : [])];
    expect(all.slice(0, written.length)).toEqual(written);
    expect(all).not.toContain("too late");
    expect(all).not.toContain("from a lost writer");
  });
});

async function outcomeOf(append: Promise<void>): Promise<string> {
  try {
    await append;
  } catch (error) {
    return LogError.from(error).outcome;
  }
  return "ok";
}

describe("fewer in-sync replicas than a write needs", () => {
  it("refuse what surely was not written, and the same writer goes on when they are back", async () => {
    const { log } = await nodes.open({ timings: { retry_ms: 500 } });
    const writer = log.openWriter();
    await writer.append(entry("before"));
    const stranger = await Stranger.at(kafka.inside);
    const fit = { "retention.ms": "-1", "compression.type": "uncompressed" };
    await stranger.set(nodes.queues, { ...fit, "min.insync.replicas": "3" });
    const leader = await leaderOf(nodes.queues);
    const other = kafka.broker((leader.id % 3) + 1);
    await other.kill();
    const refused = {
      code: "unavailable",
      outcome: "refused",
      message: expect.stringContaining("NOT_ENOUGH_REPLICAS"),
    };
    // It takes the leader a while to see that a replica is gone; until then nobody knows what becomes of an entry.
    await eventually(() =>
      expect(log.openWriter().append(entry("meanwhile"))).rejects.toMatchObject(refused),
    );
    await expect(writer.append(entry("refused"))).rejects.toMatchObject(refused);
    // Its own client may first ask the broker that is gone.
    await eventually(() => stranger.set(nodes.queues, { ...fit, "min.insync.replicas": "2" }));
    await eventually(() => writer.append(entry("after")));
    const written = texts(await readAll({}, log)).filter((text) => text !== "meanwhile");
    expect(written).toEqual(["before", "after"]);
    await stranger.close();
    await other.start();
  });
});

describe("consumer groups", () => {
  it("are not used: nobody can rebalance the log", async () => {
    const { log } = await nodes.open();
    await appendAll(log, numbered(3));
    expect(texts(await readAll({}, log))).toEqual(numbered(3));
    const stranger = await Stranger.at(kafka.inside);
    expect((await stranger.admin.listGroups()).groups).toEqual([]);
    await stranger.close();
  });
});
