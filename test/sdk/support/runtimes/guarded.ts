// Services behind the guard: passes that are taken, and how those are told who come without one.

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { createGuard } from "@usher/sdk/guard";
import { Hono } from "hono";
import type { Given } from "./given.ts";
import { type Served, served, servedByNode } from "./server.ts";

const WAIT_AT = "https://tickets.example/concert";

/** Before a handler of fetch's kind, one of Hono's, and one of node:http. */
export async function* ofGuard(given: Given): AsyncGenerator<string> {
  const guard = guardOf(given);
  await using plain = await served(
    guard.fetch((request) => new Response(`let in: ${guard.passOf(request).queue}`)),
  );
  yield* asked(plain, given);
  const app = new Hono();
  app.use(guard.hono);
  app.get("/*", (c) => c.text(`let in: ${guard.passOf(c).queue}`));
  await using hono = await served((request) => app.fetch(request));
  for await (const line of asked(hono, given)) yield `Hono: ${line}`;
  await using node = await servedByNode(
    guard.node((req, res) => res.end(`let in: ${guard.passOf(req).queue}`)),
  );
  for await (const line of asked(node, given)) yield `node:http: ${line}`;
  const faults: unknown[] = [];
  const cold = createGuard({
    jwks: `${given.gateway}/nothing/jwks.json`,
    queue: "concert",
    audience: "shop",
    onFault: (fault) => faults.push(fault),
  });
  await using waiting = await served(cold.fetch(() => new Response("let in")));
  const answer = await answered(waiting.url, { "usher-pass": given.passes.good ?? "" });
  yield `without keys: ${answer}; ${faults.length} fault`;
}

export function guardOf({ gateway }: Given) {
  const jwks = `${gateway}/_usher/jwks.json`;
  return createGuard({ jwks, queue: "concert", audience: "shop", waitAt: WAIT_AT, cookie: true });
}

async function* asked({ url }: Served, { passes }: Given): AsyncGenerator<string> {
  for (const [what, pass] of Object.entries(passes))
    yield `${what}: ${await answered(url, pass === "" ? {} : { "usher-pass": pass })}`;
  yield `in a cookie: ${await answered(url, { cookie: `a=1; usher-pass-concert=${passes.good}` })}`;
  yield `a browser: ${await answered(url, { accept: "text/html" })}`;
}

/** What was said, in a line. By node:http, since some `fetch` say of themselves that they are no browser. */
async function answered(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const [response] = (await once(get(`${url}/concert`, { headers, agent: false }), "response")) as [
    IncomingMessage,
  ];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  const { location, "content-type": type, "cache-control": kept } = response.headers;
  const said = type?.startsWith("application/problem+json") ? problemIn(text) : text;
  return [response.statusCode, location, kept, said].filter(Boolean).join(", ");
}

function problemIn(text: string): string {
  const { type, flaw, wait_at } = JSON.parse(text) as Record<string, string>;
  return [type, flaw, wait_at].filter(Boolean).join(" ");
}
