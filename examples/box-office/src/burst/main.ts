// The burst: a crowd comes to the shop, once directly and once through Usher, and both are compared.
//
//   main.ts                    this: the program
//   demo.ts                    both runs, compared and judged
//   burst.ts                   one run: shop, target, crowd
//   target.ts  usher-target.ts what the crowd is sent to
//   buyers.ts                  the crowd's process;  crowd.ts: what it tells its parent
//   buyer.ts                   one buyer;  gateways.ts: whom it asks;  reading.ts: what an answer means;  waiting.ts,
//                              wire.ts, journal.ts
//   checker.ts  checker/       from the files to what happened
//   summary.ts  table.ts       the tables;  picture.ts  picture/: the picture;  progress.ts: the bar

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { KafkaCluster } from "@usher/local-kafka";
import { brokersOption, startDemoKafka } from "../kafka.ts";
import { numberOption, OptionError, runProgram } from "../options.ts";
import { DOORS_MAX } from "../shop/settings.ts";
import type { Terms } from "./checker/judge.ts";
import { BUYERS_MAX } from "./crowd.ts";
import { demonstrate } from "./demo.ts";
import type { TargetMaker } from "./target.ts";
import { configuredLimit, UsherTarget } from "./usher-target.ts";

const help = `A burst of buyers at the demo's shop, directly and through Usher.

  --buyers 5000     how many come within a second
  --seed 1          for their moments and the shop's differences
  --out DIR         where the files, the picture and the result go; by default "out" beside the demo's README
  --kill            kill a node of Usher's when half of the answers are there. The only one is started again; of
                    several, the others go on
  --rolling         restart all nodes of Usher's, one after the other, from when a quarter of the answers are there
  --idempotent      the route is declared idempotent, and the shop honours the Idempotency-Key
  --kafka           two nodes of Usher that share one queue, on a Kafka that is started for it
  --nodes 2         with --kafka: how many nodes
  --brokers 1       with --kafka: how many brokers, 1 or 3
  --json            print the result as JSON; everything else goes to standard error
`;

interface Options {
  readonly buyers: number;
  readonly seed: number;
  readonly out: string;
  readonly json: boolean;
  readonly terms: Terms;
  /** Absent: no Kafka. */
  readonly brokers: 1 | 3 | undefined;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  // So that the processes of the burst are ended with this one.
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  const { json, terms, brokers } = options;
  const screen = json ? process.stderr : process.stdout;
  await using kafka = brokers && (await startDemoKafka(brokers, screen));
  const result = await demonstrate(options, terms, protection(terms, kafka), screen);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.kept ? 0 : 1;
}

/** Undefined: help is asked for. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      buyers: { type: "string", default: "5000" },
      seed: { type: "string", default: "1" },
      out: { type: "string", default: resolve(import.meta.dirname, "../../out") },
      kill: { type: "boolean", default: false },
      rolling: { type: "boolean", default: false },
      idempotent: { type: "boolean", default: false },
      kafka: { type: "boolean", default: false },
      nodes: { type: "string" },
      brokers: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { kill, rolling, idempotent, kafka, json, nodes = kafka ? "2" : "1", brokers = "1" } = values;
  if (!kafka && (values.nodes ?? values.brokers) !== undefined)
    throw new OptionError("--nodes and --brokers go with --kafka: only there do nodes share a log");
  if (kill && rolling) throw new OptionError("--kill and --rolling exclude each other: choose one");
  return {
    buyers: numberOption("buyers", values.buyers, 1, BUYERS_MAX),
    seed: numberOption("seed", values.seed, 0, 2 ** 32 - 1),
    out: resolve(values.out),
    json,
    terms: {
      limit: { ...configuredLimit(), nodes: numberOption("nodes", nodes, 1, DOORS_MAX) },
      killed: kill,
      rolled: rolling,
      idempotent,
    },
    brokers: kafka ? brokersOption(brokers) : undefined,
  };
}

/** How long a node that is restarted is unready before it goes: longer than buyers pause, so that it finds none of them
 * silent on a connection that they would use next. */
const DRAIN_DELAY = "2s";

function protection({ idempotent, rolled }: Terms, kafka: KafkaCluster | undefined): TargetMaker {
  return (shopUrls, directory) =>
    new UsherTarget({
      ...{ shopUrls, directory, idempotent, brokers: kafka?.brokers },
      drainDelay: rolled ? DRAIN_DELAY : undefined,
    });
}

await runProgram("burst", main);
