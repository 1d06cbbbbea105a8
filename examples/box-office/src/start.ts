// `npm start`: the shop, Usher in front of it, and what to try.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { configFor } from "./burst/usher-target.ts";
import { numberOption, runProgram } from "./options.ts";
import { openBoxOffice } from "./start/box-office.ts";

/** The ports of everything. */
interface Plan {
  readonly gateway: number;
  readonly metrics: number;
  readonly native: number;
  readonly shop: number;
}

const USUAL: Plan = { gateway: 8080, metrics: 8081, native: 50_051, shop: 9000 };

/** The same on other ports, from this one on. */
function planFrom(port: number): Plan {
  return { gateway: port, metrics: port + 1, native: port + 2, shop: port + 3 };
}

const help = `A shop that breaks under a burst, Usher in front of it, and a page that shows both. Ctrl-C ends all of it.

  --ports-from 21000     four ports from this one on, where the usual ones (8080, 8081, 9000, 50051) are taken
`;

function welcome({ gateway, native, shop }: Plan): string {
  const page = `http://localhost:${shop}`;
  const usher = `http://localhost:${gateway}`;
  const atUsher = gateway === USUAL.gateway ? "" : ` --url ${usher}`;
  const places = [
    [page, "the shop itself, and a page that sends it 3,000 buyers at once, with Usher and without"],
    [usher, "the shop behind Usher; HTTP, Connect, gRPC-Web and gRPC"],
    [`${usher}/backstage`, "for one person at a time, with a page for whoever has to wait"],
    [`localhost:${native}`, "Usher's native gRPC, with reflection"],
  ].map(([address = "", what]) => `  ${address.padEnd(34)} ${what}`);
  return `
The box office is open. Ctrl-C closes it.

${places.join("\n")}

Five things to try, in another terminal, in this folder:

1. Look at the show. Nothing protects it: it goes straight to the shop.
   $ curl -s ${usher}/api/show
   {"show":"The Last Night","seats":{"total":20000,"sold":0,"left":20000}}

2. Buy a seat. Nobody waits, so the purchase goes straight through, too.
   $ curl -si ${usher}/api/purchases -d '{"buyer":"ann","seats":1}'
   HTTP/1.1 201 Created
   …
   {"purchase":"p-1","buyer":"ann","seats":[1]}

3. Take a ticket by hand, without any proto file: for a concert with room for one at a time.
   $ grpcurl -plaintext -d '{"queue":"concert"}' localhost:${native} usher.queue.v1.QueueService/Issue
   …
         "number": 1,
         "state": "TICKET_STATE_ADMITTED",
         "position": 0,
   …

4. Wait yourself: open ${usher}/backstage in a browser, and in a private window, which waits; then make room.
   $ npx usher queue set backstage${atUsher} --max-active 2 --reason "another chair"
   …
   limit.max_active       2
   …

5. See a queue: 1,500 buyers within a second, at a shop and an Usher of their own. Without Usher, most of them fail.
   $ npm run demo:burst -- --buyers 1500
   …
   Through Usher, every promise was kept.
   …

To begin, open ${page} in a browser.
`;
}

await runProgram("usher", async () => {
  const { values } = parseArgs({
    options: { "ports-from": { type: "string" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const from = values["ports-from"];
  const plan = from === undefined ? USUAL : planFrom(numberOption("ports-from", from, 1_024, 60_000));
  const { gateway, metrics, native, shop } = plan;
  return openBoxOffice({
    folder: from === undefined ? "demo" : `demo-${from}`,
    shop: { name: "the shop", port: shop },
    others: [
      { name: "Usher's gateway", port: gateway },
      { name: "Usher's native gRPC listener", port: native },
      { name: "Usher's metrics", port: metrics },
    ],
    prepare: async (directory) => {
      const config = join(directory, "usher.yaml");
      writeFileSync(config, configFor({ shopUrl: `http://localhost:${shop}`, idempotent: false }));
      const ports = { http: gateway, grpc: native, metrics };
      const options = ["--config", config, "--data", join(directory, "data")];
      return { nodes: [{ ports, options }], welcome: () => welcome(plan) };
    },
  });
});
