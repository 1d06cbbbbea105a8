// Issue, whole: a call comes in, the ticket is durable, folded and answered; over HTTP and over gRPC, on the embedded
// log. Beside it, in the same run and in turn with it, servers that only decode and answer.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "../support/program.ts";
import { startUsher } from "../support/usher.ts";
import { grpcLoad, httpLoad, IN_FLIGHT, type Load } from "./issue/load.ts";
import { median } from "./median.ts";

/** Each target is measured this often, in turn with the others; medians are told. */
const ROUNDS = 3;

const CONFIG = `
queues:
  bench: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, max_waiting: 20000000 }
services: {}
routes: []
`;

interface Target {
  readonly name: string;
  readonly load: Load;
  readonly port: number;
  readonly rates: number[];
}

export const name = "issue";
export const about = "issues a second over HTTP and gRPC, beside servers that only answer";

export async function run(print: (line: string) => void): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "usher-bench-"));
  const peers = ["http", "grpc"].map((kind) => new Program("test/bench/issue/peers.ts", [kind]));
  const usher = await startUsher({ config: CONFIG, demo: true });
  try {
    const [http, grpc] = await Promise.all([httpLoad(directory), grpcLoad(directory)]);
    const [httpPort, grpcPort] = await Promise.all(peers.map(portOf));
    const target = (name: string, load: Load, port = 0): Target => ({ name, load, port, rates: [] });
    const targets = [
      target("Usher, Connect JSON over HTTP/1.1", http, usher.ports.gateway),
      target("node:http, decodes and answers", http, httpPort),
      target("Usher, gRPC on the native port", grpc, usher.ports.native),
      target("grpc-js, decodes and answers", grpc, grpcPort),
    ];
    for (const { load, port } of targets) await load.run(port);
    for (let round = 0; round < ROUNDS; round++) {
      for (const { load, port, rates } of targets) rates.push((await load.run(port)).rate);
    }
    tell(targets, print);
  } finally {
    await usher.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
    await rm(directory, { recursive: true, force: true });
  }
}

function tell(targets: readonly Target[], print: (line: string) => void): void {
  print(`Issue, ${IN_FLIGHT} in flight, medians of ${ROUNDS} runs in turn:`);
  for (const { name, rates } of targets) {
    const [least, most] = [Math.min(...rates), Math.max(...rates)].map(Math.round);
    print(`  ${name.padEnd(36)} ${Math.round(median(rates))}/s   (${least} to ${most})`);
  }
  const [http, bareHttp, grpc, bareGrpc] = targets.map(({ rates }) => median(rates)) as [
    number,
    number,
    number,
    number,
  ];
  print(`  HTTP: ${(http / bareHttp).toFixed(2)} of the bare server; gRPC: ${(grpc / bareGrpc).toFixed(2)}`);
  print(
    "Not measured: Kafka, several nodes, watching, forwarding, and what a network adds. Load generator, server",
  );
  print("and disk share this machine, so the rates are of use only beside each other.");
}

async function portOf(peer: Program): Promise<number> {
  return Number((await peer.says(/port (\d+)/))[1]);
}
