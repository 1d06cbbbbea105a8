// The whole client, on whatever runtime this is started with: each part prints what it saw, and a runtime that has all of
// it prints what Node prints.
//
//   server.ts   a handler of fetch's kind, served as this runtime serves it
//   guarded.ts  the guard before services        waiting.ts  fetch, and the client over Connect
//   grpc.ts     gRPC, from both sides            memory.ts   queues in memory
//   healing.ts  a node that goes down under those who wait
//
//   <runtime> program.ts '<what it is given, in JSON>' [<part> ...]

import type { Given } from "./given.ts";
import { ofGrpc, ofGrpcGuard } from "./grpc.ts";
import { ofGuard, ofNodeGuard } from "./guarded.ts";
import { ofHealing } from "./healing.ts";
import { ofMemory } from "./memory.ts";
import { ofFetch, ofWeb } from "./waiting.ts";

const PARTS: Readonly<Record<string, (given: Given) => AsyncIterable<string>>> = {
  guard: ofGuard,
  "guard before node:http": ofNodeGuard,
  "guard/grpc": ofGrpcGuard,
  web: ofWeb,
  fetch: ofFetch,
  testing: ofMemory,
  grpc: ofGrpc,
};

/** What takes somebody who ends the node: only where it is asked for. */
const ASKED_FOR: typeof PARTS = { healing: ofHealing };

const [json = "{}", ...wanted] = process.argv.slice(2);
const given = JSON.parse(json) as Given;

const parts =
  wanted.length === 0
    ? Object.entries(PARTS)
    : Object.entries({ ...PARTS, ...ASKED_FOR }).filter(([name]) => wanted.includes(name));
for (const [name, part] of parts) {
  try {
    for await (const line of part(given)) console.log(`${name}: ${line}`);
  } catch (error) {
    console.log(`${name}: failed: ${error}`);
    console.error(error);
  }
}
