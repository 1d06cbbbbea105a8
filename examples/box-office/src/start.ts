// `npm start`: the shop, Usher in front of it, and what to try. Both are processes of their own and end with this one;
// every start is a fresh one.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram } from "./options.ts";

const root = resolve(import.meta.dirname, "../../..");
const directory = join(root, ".usher", "demo");
const shopProgram = join(import.meta.dirname, "shop/main.ts");
const usherProgram = join(root, "services/usher/src/main.ts");
const usherConfig = join(import.meta.dirname, "../usher.yaml");

const SHOP = { name: "the shop", port: 9000 };
const GATEWAY = { name: "Usher's gateway", port: 8080 };
const NATIVE = { name: "Usher's native gRPC listener", port: 50051 };

/** How long Usher may take to be ready, in milliseconds; half a minute, of which it needs a second. */
const READY_MS = 30_000;

/** How long both may take to end when told to, in milliseconds; longer than Usher's own grace of ten seconds. */
const END_MS = 15_000;

const WELCOME = `
The box office is open. Ctrl-C closes it.

  http://localhost:${GATEWAY.port}    the shop behind Usher; HTTP, Connect, gRPC-Web and gRPC
  localhost:${NATIVE.port}          Usher's native gRPC, with reflection
  http://localhost:${SHOP.port}    the shop itself, unprotected

Four things to try, in another terminal:

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

4. See a queue: 1,500 buyers within a second, at a shop and an Usher of their own. Without Usher, most of them fail.
   $ npm run demo:burst -- --buyers 1500
   …
   Through Usher, every promise was kept.
   …
`;

await runProgram("usher", async () => {
  for (const { name, port } of [SHOP, GATEWAY, NATIVE])
    if (await taken(port))
      return refuse(`port ${port}, which ${name} needs, is in use; stop what has it and start again`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });

  const shop = fork(shopProgram, ["--log", join(directory, "shop.ndjson")], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const usher = spawn(
    process.execPath,
    [usherProgram, "serve", "--config", usherConfig, "--demo", "--data", join(directory, "data")],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const stopping = Promise.withResolvers<"asked">();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      stopping.resolve("asked");
      // The first asks Usher, too, and a second one presses it.
      usher.kill("SIGTERM");
    });
  process.on("exit", () => {
    for (const child of [shop, usher]) child.kill("SIGKILL");
  });
  const ended = Promise.race([endOf(shop, "the shop"), endOf(usher, "Usher"), stopping.promise]);

  const first = await Promise.race([ended, Promise.all([once(shop, "message"), isReady()])]);
  if (Array.isArray(first) && first[1]) process.stdout.write(WELCOME);
  const end = Array.isArray(first) && !first[1] ? "nobody" : await ended;
  // Usher first: what it is sending still wants the shop's answer.
  await stop(usher);
  await stop(shop);
  if (end === "asked") return 0;
  return refuse(
    end === "nobody" ? `not ready after ${READY_MS / 1_000} s` : `${end} has ended; its words are above`,
  );
});

function refuse(why: string): number {
  process.stderr.write(`usher: ${why}\n`);
  return 1;
}

/** Whether somebody listens there, on either of localhost's addresses. */
async function taken(port: number): Promise<boolean> {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen({ port, host });
    const code = await once(server, "listening").then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code === "EADDRINUSE") return true;
    server.close();
  }
  return false;
}

async function isReady(): Promise<boolean> {
  const until_ms = performance.now() + READY_MS;
  while (performance.now() < until_ms) {
    const answer = await fetch(`http://localhost:${GATEWAY.port}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return true;
    await sleep(50);
  }
  return false;
}

async function endOf(child: ChildProcess, name: string): Promise<string> {
  await once(child, "exit");
  return name;
}

/** Asks a process to end, and insists after a while. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const insist = setTimeout(() => child.kill("SIGKILL"), END_MS);
  child.kill("SIGTERM");
  await once(child, "exit");
  clearTimeout(insist);
}
