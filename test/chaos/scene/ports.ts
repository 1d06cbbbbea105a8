// Free ports for nodes, which must find them free again when they are started again.

import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems lend to outgoing connections, or the port of a killed node might be lent to a client that
 * tries to reach it; and above those of the local Kafka. */
const FIRST = 12_000;
const PAST = 20_000;

/** That many different ports on which nobody listens. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (PAST - FIRST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
