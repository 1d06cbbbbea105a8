// A service in a thread of its own: it goes on while the test's own thread stands still.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";

const ANSWERING = `
  const { createServer } = require("node:http");
  const { parentPort } = require("node:worker_threads");
  const server = createServer((req, res) => req.resume().on("end", () => res.end("fine")));
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

/** Its port. It answers "fine" to everything. */
export async function openElsewhere(): Promise<number> {
  const worker = new Worker(ANSWERING, { eval: true });
  onTestFinished(() => void worker.terminate());
  const [port] = await once(worker, "message");
  return port;
}
