// Kafka as the store: how many tickets a second one node issues on it, beside what a team would build on Redis, the
// adapter's bare append, and Kafka's own tool; and how long a fresh node takes to read a million tickets.
//
//   kafka/redis.ts     that peer, and the Redis that it runs on     kafka/append.ts   the adapter alone
//   kafka/tool.ts      Kafka's producer-performance tool            kafka/replay.ts   the million tickets

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startKafka } from "@usher/local-kafka";
import { openKeys } from "@usher/replica";
import { startUsher } from "../support/usher.ts";
import { grpcLoad, httpLoad, IN_FLIGHT, type Load, type Measured, QUEUE } from "./issue/load.ts";
import { appends } from "./kafka/append.ts";
import { startRedisPeer } from "./kafka/redis.ts";
import { measureReplay } from "./kafka/replay.ts";
import { producerPerformance } from "./kafka/tool.ts";
import { median } from "./median.ts";

/** Each target runs this often before it is measured: the broker's JVM and the node's own compiled code are slow for
 * their first hundred thousand tickets. */
const WARM_UPS = 3;
/** Each target is measured this often, in turn with the others; medians are told. */
const ROUNDS = 5;

interface Target {
  readonly name: string;
  readonly measure: () => Promise<Measured>;
  readonly found: Measured[];
}

export const name = "kafka";
export const about =
  "issues a second on Kafka, beside the usual build on Redis, and a million tickets read anew";

export async function run(print: (line: string) => void): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "usher-bench-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const kafka = stack.use(await startKafka({ jvm: ["-XX:TieredStopAtLevel=4"] }));
  const keys = join(directory, "keys.json");
  await openKeys({ file: keys, create: true });
  const usher = stack.use(await startUsher({ config: configOf(kafka.brokers), keys, demo: true }));
  const redis = stack.use(await startRedisPeer(directory));
  const [http, grpc] = await Promise.all([httpLoad(directory), grpcLoad(directory)]);
  const through = (load: Load, port: number) => () => load.run(port);
  const targets: readonly Target[] = [
    { name: "Usher on Kafka, HTTP JSON", measure: through(http, usher.ports.gateway), found: [] },
    { name: "Fastify + ioredis + Lua, HTTP JSON", measure: through(http, redis.port), found: [] },
    { name: "Usher on Kafka, gRPC", measure: through(grpc, usher.ports.native), found: [] },
    { name: "the adapter's bare append", measure: () => appends(kafka.brokers, directory), found: [] },
    { name: "Kafka's producer-performance tool", measure: () => producerPerformance(kafka), found: [] },
  ];
  for (let round = 0; round < WARM_UPS; round++) for (const { measure } of targets) await measure();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { measure, found } of targets) found.push(await measure());
  }
  tell(targets, print);
  await usher.stop();
  await redis.stop();
  print("");
  await measureReplay(kafka.brokers, directory, print);
  print(
    "Not measured: several nodes, a network, brokers on machines of their own. Load generator, node, broker and",
  );
  print(
    "Redis share this machine, so the rates are of use only beside each other. Redis may lose its last second.",
  );
}

function tell(targets: readonly Target[], print: (line: string) => void): void {
  print(`Issue, ${IN_FLIGHT} in flight, medians of ${ROUNDS} runs in turn:`);
  for (const { name, found } of targets) {
    const rates = found.map(({ rate }) => rate);
    const [least, most] = [Math.min(...rates), Math.max(...rates)].map(Math.round);
    const times = [50, 99].flatMap((percent) => {
      const all = found.flatMap((one) => (percent === 50 ? one.p50_ms : one.p99_ms) ?? []);
      return all.length === 0 ? [] : [`p${percent} ${median(all).toFixed(1)} ms`];
    });
    const rate = `${Math.round(median(rates))}/s`.padStart(9);
    print(`  ${name.padEnd(36)} ${rate}   (${least} to ${most})   ${times.join(", ")}`);
  }
  const [usher, redis] = targets.map(({ found }) => median(found.map(({ rate }) => rate)));
  print(
    `  Usher issues ${Math.round(((usher ?? 0) / (redis || 1)) * 100)} % of what the build on Redis does.`,
  );
}

function configOf(brokers: readonly string[]): string {
  return `
log: kafka://${brokers.join(",")}
kafka: { replication: 1 }
node: bench
nodes: 1
queues:
  ${QUEUE}: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, max_waiting: 20000000 }
services: {}
routes: []
`;
}
