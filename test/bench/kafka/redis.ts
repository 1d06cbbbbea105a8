// What a team builds by hand: a Fastify server and one Lua script on Redis. It counts up, puts the ticket in a sorted
// set, and answers with its rank. Redis writes its log to the disk once a second, as it does by default when asked to
// keep one.
//
//   node test/bench/kafka/redis.ts <redis port>      the server alone; prints its port

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Fastify from "fastify";
import { Redis } from "ioredis";
import { Program } from "../../support/program.ts";

const ISSUE = `
local number = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], 'NX', number, ARGV[1] .. ':' .. number)
return { number, redis.call('ZRANK', KEYS[2], ARGV[1] .. ':' .. number) }`;

export interface RedisPeer extends AsyncDisposable {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startRedisPeer(directory: string): Promise<RedisPeer> {
  const data = join(directory, "redis");
  await mkdir(data, { recursive: true });
  const port = await freePort();
  const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", data, "--save", ""];
  const redis = spawn("redis-server", [...flags, "--appendonly", "yes", "--appendfsync", "everysec"], {
    stdio: "ignore",
  });
  const missing = once(redis, "error").then(() => {
    throw new Error("redis-server is not installed (Debian: apt-get install redis-server)");
  });
  const end = () => redis.kill("SIGKILL");
  process.on("exit", end);
  await Promise.race([missing, answers(port)]);
  const server = new Program("test/bench/kafka/redis.ts", [`${port}`]);
  const stop = async (): Promise<void> => {
    await server.stop();
    process.off("exit", end);
    if (redis.exitCode !== null || redis.signalCode !== null) return;
    end();
    await once(redis, "exit");
  };
  return {
    port: Number((await server.says(/port (\d+)/))[1]),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function answers(port: number): Promise<void> {
  const redis = new Redis({ port, host: "127.0.0.1" });
  redis.on("error", () => {});
  await redis.ping();
  redis.disconnect();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function serve(redisPort: number): Promise<void> {
  const redis = new Redis({ port: redisPort, host: "127.0.0.1", enableAutoPipelining: true });
  const sha = String(await redis.script("LOAD", ISSUE));
  const app = Fastify();
  app.post<{ Body: { queue: string } }>("/*", async ({ body: { queue } }) => {
    const [number, rank] = (await redis.evalsha(sha, 2, `n:${queue}`, `q:${queue}`, "ticket")) as [
      number,
      number,
    ];
    const ticket = { id: `${queue}:${number}`, queue, number, position: rank + 1 };
    return { status: { ticket }, token: `${queue}.${number}` };
  });
  const url = new URL(await app.listen({ port: 0, host: "127.0.0.1" }));
  process.stdout.write(`port ${url.port}\n`);
  process.on("SIGTERM", () => process.exit(0));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await serve(Number(process.argv[2]));
