// A Kafka to play with: `node packages/local-kafka/src/main.ts [--brokers 1|3] [--port 9092]`. Ctrl-C ends it.

import { parseArgs } from "node:util";
import { LocalKafkaError, startKafka } from "./index.ts";

const USAGE = `usage: node packages/local-kafka/src/main.ts [--brokers 1|3] [--port 9092]

  --brokers  how many; 1
  --port     of the first broker, the others' follow it; 9092`;

const stopped = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stopped.resolve());

try {
  process.exitCode = await run(readOptions());
} catch (error) {
  if (!(error instanceof LocalKafkaError)) throw error;
  console.error(`usher: ${error.message}`);
  process.exitCode = 1;
}

function readOptions(): { brokers: 1 | 3; port: number } {
  try {
    const options = {
      brokers: { type: "string", default: "1" },
      port: { type: "string", default: "9092" },
    } as const;
    const { values } = parseArgs({ options });
    const [brokers, port] = [Number(values.brokers), Number(values.port)];
    if (brokers !== 1 && brokers !== 3) throw new LocalKafkaError("--brokers is 1 or 3");
    if (!Number.isInteger(port) || port < 1 || port > 65_535 - 2)
      throw new LocalKafkaError("--port is no port");
    return { brokers, port };
  } catch (error) {
    throw new LocalKafkaError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

/** The exit code. */
async function run(options: { brokers: 1 | 3; port: number }): Promise<number> {
  if (process.env.KAFKA_BROKERS)
    throw new LocalKafkaError("KAFKA_BROKERS names brokers that run already; unset it to start others");
  console.log("Kafka is starting ...");
  const kafka = await Promise.race([startKafka(options), stopped.promise]);
  // The guardian ends what has been started so far.
  if (kafka === undefined) process.exit(0);
  await using cluster = kafka;
  console.log(`Kafka is at ${cluster.brokers.join(",")}. Ctrl-C ends it and removes its data.`);
  const broken = await Promise.race([
    stopped.promise,
    ...cluster.members.map(({ id, ended, log }) => ended.then(() => ({ id, log }))),
  ]);
  if (broken === undefined) return 0;
  throw new LocalKafkaError(`Kafka broker ${broken.id} has ended by itself`);
}
