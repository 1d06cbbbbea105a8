// The whole client, on whatever runtime this is started with: each entry of the package prints what it has done, so that
// runtimes that can do the same print the same.
//
//   server.ts   a handler of fetch's kind, served as this runtime serves it
//   guarded.ts  the guard before services        waiting.ts  fetch, and the client over Connect
//   grpc.ts     gRPC, from both sides            memory.ts   queues in memory
//   healing.ts  a node that goes down under those who wait
//
//   <runtime> program.ts '<what it is given, in JSON>' <part> ...

import type { Given } from "./given.ts";

type Part = (given: Given) => AsyncIterable<string>;

/** Each is loaded where it is wanted, so that none needs what another is allowed. */
const PARTS: Readonly<Record<string, () => Promise<Part>>> = {
  "./guard": async () => (await import("./guarded.ts")).ofGuard,
  "./web": async () => (await import("./waiting.ts")).ofWaiting,
  "./testing": async () => (await import("./memory.ts")).ofMemory,
  ".": async () => (await import("./grpc.ts")).ofGrpc,
  "./guard/grpc": async () => (await import("./grpc.ts")).ofGrpcGuard,
  healing: async () => (await import("./healing.ts")).ofHealing,
};

const [json = "{}", ...wanted] = process.argv.slice(2);
const given = JSON.parse(json) as Given;

for (const name of wanted) {
  try {
    const part = await PARTS[name]?.();
    if (part === undefined) throw new Error("there is no such part");
    for await (const line of part(given)) console.log(`${name}: ${line}`);
  } catch (error) {
    console.log(`${name}: failed: ${error}`);
    console.error(error);
    process.exitCode = 1;
  }
}
