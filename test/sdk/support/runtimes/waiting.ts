// Who waits: `fetch` before both kinds of queues, and the client over Connect.

import { createClient, createFetch, type Status, type Storage, UsherError } from "@usher/sdk/web";
import { admit, type Given } from "./given.ts";

export async function* ofWaiting(given: Given): AsyncGenerator<string> {
  yield* ofTickets(given);
  yield* ofFetch(given);
  yield* ofAborts(given);
  yield* ofReloads(given);
  yield* ofRedirects(given);
}

/** The request of a `defer` queue is sent once by Usher; that of a `pass` queue by the caller, with the pass. Which states
 * are seen in between is up to chance. */
async function* ofFetch(given: Given): AsyncGenerator<string> {
  for (const queue of ["purchases", "concert"]) {
    const seen: Status[] = [];
    const faults: unknown[] = [];
    const waiting = createFetch({
      onFault: (fault) => faults.push(fault),
      onStatus: (status) => {
        seen.push(status);
        if (seen.length === 1) void admit(given, queue);
      },
    });
    const response = await waiting(`${given.gateway}/${queue}`, { method: "POST", body: "two seats" });
    const [first, last] = [seen.at(0), seen.at(-1)];
    yield `${queue}: ${first?.state} at ${first?.position}, then ${last?.state}; ${faults.length} faults`;
    yield `${queue}: ${response.status} ${await response.text()}`;
  }
}

/** What was begun before is taken up again: the ticket of a page that is gone, and the answer of one that has ended. */
async function* ofReloads(given: Given): AsyncGenerator<string> {
  const kept = new Map<string, string>();
  const request = () => new Request(`${given.gateway}/purchases`, { method: "POST", body: "a seat" });
  const gone = new AbortController();
  const first = Promise.withResolvers<Status>();
  const before = createFetch({ storage: storageIn(kept), onAbort: "keep", onStatus: first.resolve });
  const lost = before(request(), { signal: gone.signal }).catch((error: unknown) => error);
  const { id } = await first.promise;
  gone.abort();
  await lost;
  await admit(given, "purchases");
  for (const what of ["after a reload", "after its end"]) {
    const seen: Status[] = [];
    const after = createFetch({ storage: storageIn(new Map(kept)), onStatus: (status) => seen.push(status) });
    const response = await after(request());
    const isSame = seen.length > 0 && seen.every((status) => status.id === id);
    yield `${what}: ${isSame ? "the same ticket" : "another"}, ${response.status} ${await response.text()}`;
  }
}

/** A service that sends its callers elsewhere, to another origin. */
async function* ofRedirects({ gateway }: Given): AsyncGenerator<string> {
  const waiting = createFetch({ origins: [gateway] });
  const response = await waiting(`${gateway}/moved`, { method: "POST", body: "a seat" });
  const { pathname, origin } = new URL(response.url);
  const where = `${origin === gateway ? "the same" : "another"} origin ${pathname}`;
  yield `moved: ${response.status} by ${where}, ${response.redirected}: ${await response.text()}`;
}

function storageIn(kept: Map<string, string>): Storage {
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** Who gives up leaves the line. */
async function* ofAborts(given: Given): AsyncGenerator<string> {
  const visitor = createClient({ baseUrl: given.gateway });
  const given_up = new AbortController();
  const left = Promise.withResolvers<number>();
  const waiting = createFetch({
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (init?.method === "DELETE") left.resolve(response.status);
      return response;
    },
    onStatus: () => given_up.abort(new Error("enough")),
  });
  const request = new Request(`${given.gateway}/purchases`, { method: "PUT", body: "one seat" });
  const outcome = await waiting(request, { signal: given_up.signal }).then(
    ({ status }) => `answered ${status}`,
    (error: unknown) => `rejected: ${error}`,
  );
  yield `given up: ${outcome}; left with ${await left.promise}`;
  yield `${(await visitor.queue("purchases")).waiting} wait`;
}

async function* ofTickets(given: Given): AsyncGenerator<string> {
  const visitor = createClient({ baseUrl: given.gateway });
  const ticket = await visitor.issue("concert");
  for await (const status of ticket.watch()) {
    yield told(status);
    if (status.state === "waiting") await admit(given, "concert");
    else await ticket.leave();
  }
  const again = await visitor.ticket(ticket.token);
  yield `again: ${told(again.status)}`;
  const { kind, mode, waiting } = await visitor.queue("concert");
  yield `${kind} ${mode} ${waiting}`;
  yield `no such queue: ${await failureOf(visitor.issue("none"))}`;
  const nobody = createClient({ baseUrl: "http://127.0.0.1:9", attempts: 1 });
  yield `nobody there: ${await failureOf(nobody.queue("concert"))}`;
  const stranger = createClient({ baseUrl: `${given.gateway}/elsewhere`, attempts: 1 });
  yield `no Usher there: ${await failureOf(stranger.queue("concert"))}`;
  const stop = new AbortController();
  const long = await visitor.issue("concert");
  yield `stopped: ${await failureOf(stoppedAt(long.watch({ signal: stop.signal }), stop))}`;
  yield told(await long.leave());
}

/** Follows until the first status, and gives up a little later: in the midst of a stream, unless the machine is slow, and
 * then it ends in the same way. */
export async function stoppedAt(statuses: AsyncIterable<Status>, stop: AbortController): Promise<string> {
  for await (const { state } of statuses) {
    if (state !== "waiting") return state;
    setTimeout(() => stop.abort(), 100);
  }
  return "ended";
}

export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    return `no failure: ${await call}`;
  } catch (error) {
    const { code, retryable, outcome } = UsherError.from(error);
    return [code, retryable, outcome].join(" ");
  }
}

export function told({ state, position, pass }: Status): string {
  return [state, position, pass === undefined ? "without a pass" : "with a pass"].join(" ");
}
