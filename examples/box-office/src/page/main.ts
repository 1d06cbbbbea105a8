// The shop with the demo's page, as a program: `node src/page/main.ts --port 9000 --gateway http://localhost:8080`. Ends on
// SIGTERM and SIGINT, and with the process that forked it.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BUYERS_MAX } from "../burst/crowd.ts";
import { numberOption, originOption, runProgram } from "../options.ts";
import { shopDefaults } from "../shop/settings.ts";
import { Shop } from "../shop/shop.ts";
import { Crowds } from "./crowds.ts";
import { Exit } from "./exit.ts";
import { Page } from "./page.ts";

const help = `The demo's shop, and a page that shows it with Usher and without.

  --port 9000                        the port; 0: any free one
  --gateway http://localhost:8080    Usher's gateway before this shop; more than once: each of Usher's nodes
  --native http://localhost:50051    Usher's native gRPC; the same
  --buyers 3000                      how many the page sends at once, each way
  --folder DIR                       where every request is written down; by default "out/page" beside the demo's README
`;

await runProgram("box office", async () => {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "9000" },
      gateway: { type: "string", multiple: true, default: ["http://localhost:8080"] },
      native: { type: "string", multiple: true, default: ["http://localhost:50051"] },
      buyers: { type: "string", default: "3000" },
      folder: { type: "string", default: join(import.meta.dirname, "../../out/page") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { folder } = values;
  const gateways = values.gateway.map((url) => originOption("gateway", url));
  const natives = values.native.map((url) => originOption("native", url));
  const buyers = numberOption("buyers", values.buyers, 1, BUYERS_MAX);
  mkdirSync(folder, { recursive: true });
  const exit = new Exit(natives);
  const crowds = new Crowds({ buyers, gateways, folder }, () => shop);
  const page = new Page({ gateways, crowds, exit });
  // A purchase whose answer was lost on the way can be asked for again, for it has its key.
  const shop = await Shop.open(
    { ...shopDefaults, idempotent: true },
    {
      host: "localhost",
      port: numberOption("port", values.port, 0, 65_535),
      log: join(folder, "shop.ndjson"),
      aside: (request, response) => page.answer(request, response),
    },
  );
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    exit.close();
    void shop.close().then(() => process.exit(0));
  };
  for (const end of ["SIGTERM", "SIGINT", "disconnect"]) process.on(end, close);
  const { urls } = shop;
  process.stdout.write(`The box office is open: ${urls.join(", ")}\n`);
  process.send?.({ kind: "listening", urls });
  return 0;
});
