// The load: wrk for HTTP/1.1, h2load for gRPC. Both cost the machine far less than the servers do.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { IssueRequestSchema } from "@usher/protocol/queue";

/** Calls under way at once. */
export const IN_FLIGHT = 64;
/** How long one measurement takes, in seconds, and how long the server is warmed up before. */
const SECONDS = 4;
const PATH = "/usher.queue.v1.QueueService/Issue";
/** The queue that is asked for tickets. */
export const QUEUE = "bench";

/** What one run found. */
export interface Measured {
  /** Calls a second that were answered well. */
  readonly rate: number;
  /** Half of the calls, and all but one in a hundred, took at most this long, in ms; absent where it is not told. */
  readonly p50_ms?: number;
  readonly p99_ms?: number;
}

export interface Load {
  /** Throws when any call was not answered well. */
  run(port: number): Promise<Measured>;
}

/** JSON over HTTP/1.1, as Connect has it and others can. */
export async function httpLoad(directory: string): Promise<Load> {
  const script = join(directory, "issue.lua");
  const body = JSON.stringify({ queue: QUEUE });
  await writeFile(
    script,
    `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = '${body}'\n`,
  );
  return {
    async run(port) {
      const flags = ["-t1", `-c${IN_FLIGHT}`, `-d${SECONDS}s`, "--latency", "-s", script];
      const said = await tool("wrk", [...flags, `http://127.0.0.1:${port}${PATH}`]);
      if (/Non-2xx|Socket errors/.test(said)) throw new Error(`not all calls were answered:\n${said}`);
      return {
        rate: figure(said, /Requests\/sec: +([\d.]+)/),
        p50_ms: latency_ms(said, 50),
        p99_ms: latency_ms(said, 99),
      };
    },
  };
}

/** gRPC over h2c. */
export async function grpcLoad(directory: string): Promise<Load> {
  const file = join(directory, "issue.bin");
  const message = toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: QUEUE }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  await writeFile(file, Buffer.concat([prefix, message]));
  return {
    async run(port) {
      const flags = ["-c4", `-m${IN_FLIGHT / 4}`, "-t1", `-D${SECONDS}`, `-d${file}`];
      const headers = ["-Hcontent-type: application/grpc", "-Hte: trailers"];
      const said = await tool("h2load", [...flags, ...headers, `http://127.0.0.1:${port}${PATH}`]);
      if (!/ 0 failed, 0 errored/.test(said)) throw new Error(`not all calls were answered:\n${said}`);
      return { rate: figure(said, /([\d.]+) req\/s/) };
    },
  };
}

function tool(name: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(name, args, (error, out, err) => {
      const missing = (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
      if (missing) reject(new Error(`${name} is not installed (Debian: apt-get install wrk nghttp2-client)`));
      else if (error) reject(new Error(`${name}: ${err || out}`));
      else resolve(out);
    });
  });
}

function figure(said: string, pattern: RegExp): number {
  const value = Number(pattern.exec(said)?.[1]);
  if (Number.isNaN(value)) throw new Error(`no figure in:\n${said}`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

function latency_ms(said: string, percent: number): number {
  const [, value, unit] = new RegExp(`${percent}% +([\\d.]+)(us|ms|s)`).exec(said) ?? [];
  return Number(value) * (UNITS[unit ?? ""] ?? Number.NaN);
}
