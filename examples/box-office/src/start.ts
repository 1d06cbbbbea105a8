// `npm start`: the shop, Usher in front of it, and what to try.

import { join, resolve } from "node:path";
import { runProgram } from "./options.ts";
import { openBoxOffice } from "./start/box-office.ts";

const config = resolve(import.meta.dirname, "../usher.yaml");

const SHOP = { name: "the shop", port: 9000 };
const GATEWAY = { name: "Usher's gateway", port: 8080 };
const NATIVE = { name: "Usher's native gRPC listener", port: 50051 };
const METRICS = { name: "Usher's metrics", port: 8081 };

const WELCOME = `
The box office is open. Ctrl-C closes it.

  http://localhost:${GATEWAY.port}              the shop behind Usher; HTTP, Connect, gRPC-Web and gRPC
  http://localhost:${GATEWAY.port}/backstage    for one person at a time, with a page for whoever has to wait
  localhost:${NATIVE.port}                    Usher's native gRPC, with reflection
  http://localhost:${SHOP.port}              the shop itself, unprotected, and a page that sends it a crowd

Five things to try, in another terminal:

1. Look at the show. Nothing protects it: it goes straight to the shop.
   $ curl -s http://localhost:${GATEWAY.port}/api/show
   {"show":"The Last Night","seats":{"total":20000,"sold":0,"left":20000}}

2. Buy a seat. Nobody waits, so the purchase goes straight through, too.
   $ curl -si http://localhost:${GATEWAY.port}/api/purchases -d '{"buyer":"ann","seats":1}'
   HTTP/1.1 201 Created
   …
   {"purchase":"p-1","buyer":"ann","seats":[1]}

3. Take a ticket by hand, without any proto file: for a concert with room for one at a time.
   $ grpcurl -plaintext -d '{"queue":"concert"}' localhost:${NATIVE.port} usher.queue.v1.QueueService/Issue
   …
         "number": 1,
         "state": "TICKET_STATE_ADMITTED",
         "position": 0,
   …

4. Wait yourself: open http://localhost:${GATEWAY.port}/backstage in a browser, and in a private window, which waits; then make room.
   $ npx usher queue set backstage --max-active 2 --reason "another chair"
   …
   limit.max_active       2
   …

5. See a queue: 1,500 buyers within a second, at a shop and an Usher of their own. Without Usher, most of them fail.
   $ npm run demo:burst -- --buyers 1500
   …
   Through Usher, every promise was kept.
   …
`;

await runProgram("usher", () =>
  openBoxOffice({
    folder: "demo",
    shop: SHOP,
    page: ["--gateway", `http://localhost:${GATEWAY.port}`, "--native", `http://localhost:${NATIVE.port}`],
    others: [GATEWAY, NATIVE, METRICS],
    prepare: async (directory) => ({
      nodes: [
        {
          ports: { http: GATEWAY.port, grpc: NATIVE.port, metrics: METRICS.port },
          options: ["--config", config, "--data", join(directory, "data")],
        },
      ],
      welcome: () => WELCOME,
    }),
  }),
);
