// `node src/main.ts --brokers localhost:9092`: what happened in Usher's queues, minute by minute, from the records in
// Kafka alone.

import { parseArgs } from "node:util";
import { ReportError } from "./log.ts";
import { Report } from "./report.ts";
import { heading, json, text } from "./table.ts";
import { readTopic } from "./topic.ts";

const help = `What happened in Usher's queues, minute by minute, from the records in Kafka.

  --brokers localhost:9092    where the cluster is first asked, with commas between
  --topic usher.queues        Usher's log
  --group usher-report        the consumer group; it commits nothing
  --follow                    go on with what comes, until Ctrl-C; a row is shown when its minute is over
  --json                      one JSON object a row, instead of the table
`;

// kafkajs 2.2.4 sets timers in the past, of which Node 24 tells on standard error. Nobody could do anything about it.
process.removeAllListeners("warning");
process.on("warning", ({ name, message }) => {
  if (name !== "TimeoutNegativeWarning") process.stderr.write(`report: ${name}: ${message}\n`);
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      brokers: { type: "string", default: "localhost:9092" },
      topic: { type: "string", default: "usher.queues" },
      group: { type: "string", default: "usher-report" },
      follow: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
  const show = values.json ? json : text;
  const report = new Report((row) => process.stdout.write(`${show(row)}\n`));
  if (!values.json) process.stdout.write(`${heading}\n`);
  const { topic, group, follow } = values;
  const brokers = values.brokers.split(",");
  await readTopic({ brokers, topic, group, follow, signal: stop.signal }, (value) => report.read(value));
  report.close();
  const { damaged, ignored } = report.passedOver;
  if (damaged + ignored > 0)
    process.stderr.write(`report: passed over ${damaged} damaged records, and ${ignored} without effect\n`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const { name, message, code = "" } = error as Error & { code?: unknown };
  const usage = String(code).startsWith("ERR_PARSE_ARGS");
  const expected = usage || error instanceof ReportError || name.startsWith("KafkaJS");
  process.stderr.write(`report: ${expected ? message : String(error)}\n`);
  process.exitCode = usage ? 2 : 1;
}
