// The shop as a program: `node src/shop/main.ts --port 9000 --log shop.ndjson`. Ends on SIGTERM and SIGINT, and with
// the process that forked it.

import { parseArgs } from "node:util";
import { numberOption, runProgram } from "../options.ts";
import { DOORS_MAX, shopDefaults } from "./settings.ts";
import { Shop } from "./shop.ts";

/** How often the figures are told, in milliseconds. */
const FIGURES_MS = 100;

const help = `The demo's shop.

  --port 9000           the port; 0: any free one
  --doors 1             addresses by which it is reached, to tell who sent what: beyond the first, any free ports
  --host localhost      the address to listen on
  --log shop.ndjson     where every request is written down; replaced when the shop starts
  --seats ${shopDefaults.seats}         seats for sale
  --workers ${shopDefaults.workers}          purchases worked on at a time
  --work-ms ${shopDefaults.work_ms}         how long a purchase takes on average
  --contention ${shopDefaults.contention}      how much slower all get for each further "workers" in flight
  --waiting ${shopDefaults.waiting_max}        purchases that may wait for a worker; beyond: 503
  --patience-ms ${shopDefaults.patience_ms}    how long one waits for a worker; then: 504
  --idempotent          the same Idempotency-Key gets the same purchase again
  --seed ${shopDefaults.seed}              for the differences between purchases
  --figures             tell the process that forked it how the shop stands, ten times a second and at the end
`;

await runProgram("box office", async () => {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "9000" },
      doors: { type: "string", default: "1" },
      host: { type: "string", default: "localhost" },
      log: { type: "string", default: "shop.ndjson" },
      seats: { type: "string", default: String(shopDefaults.seats) },
      workers: { type: "string", default: String(shopDefaults.workers) },
      "work-ms": { type: "string", default: String(shopDefaults.work_ms) },
      contention: { type: "string", default: String(shopDefaults.contention) },
      waiting: { type: "string", default: String(shopDefaults.waiting_max) },
      "patience-ms": { type: "string", default: String(shopDefaults.patience_ms) },
      idempotent: { type: "boolean", default: shopDefaults.idempotent },
      seed: { type: "string", default: String(shopDefaults.seed) },
      figures: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const shop = await Shop.open(
    {
      ...shopDefaults,
      seats: numberOption("seats", values.seats, 0, 10_000_000),
      workers: numberOption("workers", values.workers, 1, 10_000),
      work_ms: numberOption("work-ms", values["work-ms"], 0, 60_000),
      contention: numberOption("contention", values.contention, 0, 100, "fraction"),
      waiting_max: numberOption("waiting", values.waiting, 0, 1_000_000),
      patience_ms: numberOption("patience-ms", values["patience-ms"], 0, 600_000),
      idempotent: values.idempotent,
      seed: numberOption("seed", values.seed, 0, 2 ** 32 - 1),
    },
    {
      host: values.host,
      port: numberOption("port", values.port, 0, 65_535),
      doors: numberOption("doors", values.doors, 1, DOORS_MAX),
      log: values.log,
    },
  );
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    void shop
      .close()
      .then(() => tell())
      .then(() => process.exit(0));
  };
  /** Resolves when it is on its way; without a parent that listens, at once. */
  const tell = (): Promise<void> =>
    new Promise((told) => {
      if (!values.figures || !process.connected) told();
      else process.send?.({ kind: "figures", ...shop.figures }, () => told());
    });
  for (const end of ["SIGTERM", "SIGINT", "disconnect"]) process.on(end, close);
  // Only now may anybody know of it: who does may ask it to end.
  const { urls } = shop;
  process.stdout.write(`The box office is open: ${urls.join(", ")}\n`);
  process.send?.({ kind: "listening", urls });
  if (values.figures) setInterval(tell, FIGURES_MS).unref();
  return 0;
});
