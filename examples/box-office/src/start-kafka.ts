// `npm run start:kafka`: a Kafka, two nodes of Usher that share their queues in it, the shop, and what to try.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import type { KafkaCluster } from "@usher/local-kafka";
import { configFor } from "./burst/usher-target.ts";
import { brokersOption, makeKeys, startDemoKafka } from "./kafka.ts";
import { numberOption, runProgram } from "./options.ts";
import { openBoxOffice, type Prepared } from "./start/box-office.ts";
import type { NodePorts, NodeSettings } from "./usher-node.ts";

/** Where everything listens, but Kafka. Two nodes: one may be killed, and there is still one. */
interface Plan {
  readonly nodes: readonly {
    readonly name: string;
    readonly ports: NodePorts & { readonly metrics: number };
  }[];
  readonly shop: number;
}

const USUAL: Plan = {
  nodes: [
    { name: "node-1", ports: { http: 8080, grpc: 50051, metrics: 8081 } },
    { name: "node-2", ports: { http: 8090, grpc: 50052, metrics: 8091 } },
  ],
  shop: 9000,
};

/** The same on other ports, from this one on. */
function planFrom(port: number): Plan {
  return {
    nodes: [
      { name: "node-1", ports: { http: port, metrics: port + 1, grpc: port + 2 } },
      { name: "node-2", ports: { http: port + 3, metrics: port + 4, grpc: port + 5 } },
    ],
    shop: port + 6,
  };
}

const help = `A Kafka, two nodes of Usher on it, the demo's shop, and a page that shows it. Ctrl-C ends all of it.

  --brokers 1            of the Kafka: 1 or 3
  --ports-from 21000     seven ports from this one on, where the usual ones (8080, 8090, 9000 …) are taken
`;

await runProgram("usher", async () => {
  const { values } = parseArgs({
    options: {
      brokers: { type: "string", default: "1" },
      "ports-from": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const brokers = brokersOption(values.brokers);
  const from = values["ports-from"];
  const plan = from === undefined ? USUAL : planFrom(numberOption("ports-from", from, 1_024, 60_000));
  return openBoxOffice({
    folder: from === undefined ? "demo-kafka" : `demo-kafka-${from}`,
    shop: { name: "the shop", port: plan.shop },
    others: plan.nodes.flatMap(({ name, ports }) => [
      { name: `the gateway of ${name}`, port: ports.http },
      { name: `the native gRPC listener of ${name}`, port: ports.grpc },
      { name: `the metrics of ${name}`, port: ports.metrics },
    ]),
    prepare: async (directory) => {
      const kafka = await startDemoKafka(brokers, process.stdout);
      return prepare(directory, { kafka, ...plan });
    },
  });
});

interface Stage extends Plan {
  readonly kafka: KafkaCluster;
}

/** One file of configuration and one of keys for both nodes; a folder of data for each. */
async function prepare(directory: string, stage: Stage): Promise<Prepared> {
  const { kafka, nodes, shop } = stage;
  const keys = join(directory, "usher.keys.json");
  await makeKeys(keys, join(directory, "keys.log"));
  const config = join(directory, "usher.yaml");
  const log = { brokers: kafka.brokers, nodes: nodes.length };
  writeFileSync(config, configFor({ shopUrl: `http://localhost:${shop}`, idempotent: false, log }));
  const settings = nodes.map(({ name, ports }): NodeSettings => {
    const folder = join(directory, name);
    mkdirSync(folder);
    const options = ["--config", config, "--keys", keys, "--node", name, "--data", join(folder, "data")];
    return { ports, options, output: join(folder, "usher.log") };
  });
  return { nodes: settings, welcome: (pids) => welcome(stage, directory, pids), close: () => kafka.close() };
}

/** Where a node keeps time is not known beforehand: the first in the log does. */
function welcome({ kafka, nodes, shop }: Stage, directory: string, pids: readonly number[]): string {
  const [one, two] = nodes.map(({ ports }) => `http://localhost:${ports.http}`);
  const [broker] = kafka.brokers;
  const page = `http://localhost:${shop}`;
  const gateways = nodes.map(({ name, ports }, index) =>
    [
      `  http://localhost:${ports.http}    ${name}: the shop behind Usher; process ${pids[index]}`,
      `                           native gRPC at localhost:${ports.grpc}, metrics at http://localhost:${ports.metrics}/metrics`,
    ].join("\n"),
  );
  return `
The box office is open, with two nodes of Usher on one Kafka. Ctrl-C closes it.

  ${page}    the shop itself, and a page that sends it 3,000 buyers at once, with Usher and without
${gateways.join("\n")}
  ${broker}          Kafka
  ${relative(process.cwd(), directory)}       what the nodes say and keep

Things to try, in another terminal, in this order:

1. See both nodes, and which of them keeps time. (Without --once, live.)
   $ npx usher top --once --url ${one} --url ${two}
   node-… keeps time, term 1 · T …
   …
   node-1  ${one}  …ready
   node-2  ${two}  …ready
   …

2. Stop the line at one node, to see it: it stands still at both.
   $ npx usher queue set purchases --url ${one} --mode paused --reason "to see a queue"
   …
   mode                   paused
   …

3. Buy a seat at one node. The purchase waits, with a ticket; the other node knows it, and its place.
   $ trace="traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
   $ ticket=$(curl -sD - -o /dev/null ${one}/api/purchases -H "$trace" -d '{"buyer":"ann","seats":1}' | sed -n 's/^location: \\(.*\\)\\r/\\1/p')
   $ curl -s ${two}$ticket
   {"ticket":{"id":"purchases:…:1","queue":"purchases","number":1,"state":"TICKET_STATE_WAITING",…"position":1,…}

4. Find it in Kafka, where each record has its queue for a key, and the trace of its request in a header.
   $ kcat -q -b ${broker} -C -t usher.queues -o beginning -e -X fetch.wait.max.ms=10 -f '%o %k %h\\n' | grep trace
   … purchases traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
   $ npx usher log tail --url ${two} --queue purchases -n 1
   … node-1 …ticket_issued…

5. Kill the node that took it, and let the line go on at the other: it takes over the time, and sends what waits. The page
in the browser goes on there, too.
   $ kill -9 ${pids[0]}
   $ npx usher queue set purchases --url ${two} --mode auto --reason "enough seen"
   …
   mode                   auto
   …
   $ sleep 5; curl -sL ${two}$ticket
   {"purchase":"p-1","buyer":"ann","seats":[1]}

6. See the crowd come, at a Kafka, a shop and two nodes of their own, of which one is killed on the way.
   $ npm run demo:burst -- --kafka --kill --buyers 1500
   …
   Through Usher, every promise was kept.
   …

To begin, open ${page} in a browser.
`;
}
