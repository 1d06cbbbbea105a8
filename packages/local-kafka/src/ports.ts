// Free ports for brokers, which must find the same port free again when they are started again.

import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { LocalKafkaError } from "./errors.ts";

export const HOST = "127.0.0.1";

/** Below those that systems lend to outgoing connections (Linux from 32768, others from 49152): a port that a killed
 * broker left must not be lent to a client meanwhile, least of all to one that tries to reach that broker. */
const FIRST = 20_000;
const PAST = 32_000;

/** How many ports are tried for one that is free; if 200 by chance are all taken, something else is wrong. */
const ATTEMPTS = 200;

/** That many different ports on which nobody listens. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count && attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, PAST);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new LocalKafkaError(`no ${count} free ports between ${FIRST} and ${PAST}`);
  return [...ports];
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, HOST), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
