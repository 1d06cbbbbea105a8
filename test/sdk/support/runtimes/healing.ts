// Who waits over each wire, while the node goes down under them and another comes in its place.

import { createClient } from "@usher/sdk";
import { createFetch, createClient as createWebClient, type Ticket } from "@usher/sdk/web";
import type { Given } from "./given.ts";

/** Sooner back than is usual, in milliseconds: so few may come all at once. */
const timings = { reconnect: 100 };

/** Says when all wait: then the node may go. */
export async function* ofHealing({ native, gateway, apiKey }: Given): AsyncGenerator<string> {
  using usher = createClient({ baseUrl: native, apiKey, timings });
  const visitor = createWebClient({ baseUrl: gateway, timings });
  const stored = Promise.withResolvers<void>();
  const places: number[] = [];
  const waiting = createFetch({
    timings,
    onStatus: ({ position = 0 }) => {
      places.push(position);
      stored.resolve();
    },
  });
  const answer = waiting(`${gateway}/purchases`, { method: "POST", body: "three seats" });
  const overGrpc = watched(await usher.issue("concert"));
  const overConnect = watched(await visitor.issue("concert"));
  await Promise.all([overGrpc.waits, overConnect.waits, stored.promise]);
  yield "all wait";
  yield `over gRPC: ${await overGrpc.end}`;
  yield `over Connect: ${await overConnect.end}`;
  const response = await answer;
  yield `by fetch: ${response.status} ${await response.text()}, ${neverRises(places)}`;
}

interface Watched {
  readonly waits: Promise<void>;
  readonly end: Promise<string>;
}

function watched(ticket: Ticket): Watched {
  const waits = Promise.withResolvers<void>();
  const follow = async (): Promise<string> => {
    const places: number[] = [];
    let failures = 0;
    for await (const { state, position = 0 } of ticket.watch({ onRetry: () => failures++ })) {
      places.push(position);
      waits.resolve();
      if (state === "admitted")
        return `admitted, ${failures > 0 ? "mended" : "whole"}, ${neverRises(places)}`;
    }
    return "ended without an admission";
  };
  return { waits: waits.promise, end: follow() };
}

function neverRises(places: readonly number[]): string {
  const rises = places.some((place, i) => place > (places[i - 1] ?? place));
  return rises ? `a place rises: ${places}` : "no place rises";
}
