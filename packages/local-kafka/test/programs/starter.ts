// Starts a Kafka, says where it is (one line of JSON), and goes on until it is killed.

import { dirname } from "node:path";
import { startKafka } from "../../src/index.ts";

const kafka = await startKafka();
const broker = kafka.broker(1);
console.log(JSON.stringify({ pid: broker.pid, directory: dirname(broker.log) }));
