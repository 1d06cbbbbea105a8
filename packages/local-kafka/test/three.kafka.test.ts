// Three brokers, of which one is killed, stopped, and paused.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type KafkaCluster, runTool, START_WAIT_MS, startKafka } from "../src/index.ts";
import { consume, createTopic, kcat, produce } from "./kcat.ts";
import { lives } from "./lives.ts";

let kafka: KafkaCluster;

beforeAll(async () => {
  vi.stubEnv("KAFKA_BROKERS", undefined);
  kafka = await startKafka({ brokers: 3 });
  await createTopic(kafka.brokers[0]!, "seats");
}, START_WAIT_MS);

afterAll(async () => {
  await kafka?.close();
  vi.unstubAllEnvs();
});

test("three brokers hold every record three times, and take none that only one would have", async () => {
  expect(kafka.brokers).toHaveLength(3);
  const said = await kcat(kafka.brokers[0]!, ["-L", "-t", "seats"]);
  expect(said).toContain("3 brokers:");
  expect(replicas(said).replicas).toEqual([1, 2, 3]);
  expect(replicas(said).inSync).toEqual([1, 2, 3]);
  const describe = ["--bootstrap-server", kafka.brokers[0]!, "--describe", "--topic", "seats"];
  const { stdout } = await runTool("org.apache.kafka.tools.TopicCommand", describe);
  expect(stdout).toContain("min.insync.replicas=2");
});

test("a killed broker is gone, the others take records, and it has them when it is back", async () => {
  const leader = kafka.broker(replicas(await kcat(kafka.brokers[0]!, ["-L", "-t", "seats"])).leader);
  const { pid } = leader;
  await leader.kill();
  expect(leader.running).toBe(false);
  expect((await leader.ended).signal).toBe("SIGKILL");
  await produce(kafka.brokers.join(), "seats", "sold without it");
  await leader.start();
  expect(leader.running).toBe(true);
  expect(leader.pid).not.toBe(pid);
  expect(await consume(leader.address(), "seats")).toEqual(["sold without it"]);
});

test("a stopped broker hands over and ends by itself", async () => {
  const broker = kafka.broker(2);
  await broker.stop();
  expect(await broker.ended).toEqual({ code: 143, signal: null });
  await broker.start();
});

test("a paused broker answers nobody until it is resumed", async () => {
  const broker = kafka.broker(3);
  broker.pause();
  await expect(kcat(broker.address(), ["-L", "-m", "1"])).rejects.toThrow("Failed to acquire metadata");
  expect(broker.running).toBe(true);
  broker.resume();
  await broker.start();
  expect(await kcat(broker.address(), ["-L"])).toContain(`(from broker 3: ${broker.address()}`);
});

test("nothing is left of a cluster that is closed", async () => {
  const pids = kafka.members.map(({ pid }) => pid!);
  const directory = dirname(kafka.broker(1).log);
  expect([...pids.map(lives), existsSync(directory)]).toEqual([true, true, true, true]);
  await kafka.close();
  expect([...pids.map(lives), existsSync(directory)]).toEqual([false, false, false, false]);
  await expect(kafka.broker(1).start()).rejects.toThrow("Kafka has been closed");
});

interface Replicas {
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

/** What kcat says of the topic's partition. */
function replicas(said: string): Replicas {
  const found = /partition 0, leader (\d+), replicas: ([\d,]+), isrs: ([\d,]+)/.exec(said);
  const ids = (list = "") => list.split(",").map(Number).sort();
  return { leader: Number(found?.[1]), replicas: ids(found?.[2]), inSync: ids(found?.[3]) };
}
