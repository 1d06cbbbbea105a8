// What a call costs the process that makes it: the SDK's client for Node, which is on grpc-js, beside connect-node's, in
// turn and in this one process, against a server that only answers.

import { createClient as createConnectClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createClient, QueueService } from "@usher/sdk";
import { Program } from "../support/program.ts";
import { median } from "./median.ts";

/** Each client is measured this often, in turn with the other; medians are told. */
const ROUNDS = 7;
const CALLS = 4_000;
const IN_FLIGHT = 64;

interface Contestant {
  readonly name: string;
  readonly issue: (key: string) => Promise<unknown>;
  /** Calls a second. */
  readonly rates: number[];
  /** Time on the processor for one call, in microseconds. */
  readonly costs_us: number[];
}

export const name = "client";
export const about = "what a call costs the SDK's client, beside connect-node's";

export async function run(print: (line: string) => void): Promise<void> {
  const server = new Program("test/bench/issue/peers.ts", ["grpc"]);
  try {
    const [, port] = await server.says(/port (\d+)/);
    const baseUrl = `http://127.0.0.1:${port}`;
    using usher = createClient({ baseUrl });
    const connect = createConnectClient(QueueService, createGrpcTransport({ baseUrl }));
    const contestant = (name: string, issue: Contestant["issue"]): Contestant => ({
      name,
      issue,
      rates: [],
      costs_us: [],
    });
    const contestants = [
      contestant("the SDK, on grpc-js", (key) => usher.issue("bench", { idempotencyKey: key })),
      contestant("connect-node", (key) => connect.issue({ queue: "bench", idempotencyKey: key })),
    ];
    for (const one of contestants) await measure(one);
    for (const { rates, costs_us } of contestants) rates.length = costs_us.length = 0;
    for (let round = 0; round < ROUNDS; round++) for (const one of contestants) await measure(one);
    tell(contestants, print);
  } finally {
    await server.stop();
  }
}

async function measure({ issue, rates, costs_us }: Contestant): Promise<void> {
  let left = CALLS;
  const begun_ms = performance.now();
  const before = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (left > 0) await issue(`key-${left--}-of-a-benchmark`);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const { user, system } = process.cpuUsage(before);
  rates.push((CALLS / (performance.now() - begun_ms)) * 1000);
  costs_us.push((user + system) / CALLS);
}

function tell(contestants: readonly Contestant[], print: (line: string) => void): void {
  print(`Issue by a client, ${IN_FLIGHT} in flight, medians of ${ROUNDS} runs in turn:`);
  for (const { name, rates, costs_us } of contestants)
    print(
      `  ${name.padEnd(22)} ${Math.round(median(rates))}/s, ${Math.round(median(costs_us))} µs of the processor a call`,
    );
  const [usher, connect] = contestants.map(({ costs_us }) => median(costs_us)) as [number, number];
  print(`  the SDK takes ${(usher / connect).toFixed(2)} of connect-node's time`);
  print("Not measured: streams, TLS, and what a network adds. Client and server share this machine.");
}
