// The pull consumer: everybody who was let through, at least once, in order; several at a time; stopped in order.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type Admission, type BackendClient, createClient } from "../src/index.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1000, max_active: 1000 }, max_wait: 1h }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;

let usher: Usher;
let client: BackendClient;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
});

beforeEach(() => {
  client = createClient({
    baseUrl: `http://${usher.nativeAddress}`,
    apiKey: usher.apiKey,
    timings: { reconnect: 20 },
  });
});

afterEach(() => client.close());

afterAll(() => usher?.stop());

async function issue(count: number): Promise<string[]> {
  const tickets = [];
  for (let i = 0; i < count; i++)
    tickets.push(await client.issue("concert", { subject: `s-${crypto.randomUUID()}` }));
  return tickets.map(({ id }) => id);
}

/** Works until so many are done with, at least. */
async function workUntil(count: number, concurrency: number, each: (admission: Admission) => Promise<void>) {
  const stop = new AbortController();
  const worked: string[] = [];
  const cursors: string[] = [];
  await client.work(
    "concert",
    async (admission) => {
      await each(admission);
      worked.push(admission.ticket.id);
      if (worked.length >= count) stop.abort();
    },
    { concurrency, signal: stop.signal, onCursor: (cursor) => void cursors.push(cursor) },
  );
  return { worked, cursors };
}

it("each comes in the order of admission, is worked on, and has ended then", async () => {
  const ids = await issue(5);
  const { worked, cursors } = await workUntil(5, 1, async () => {});
  expect(worked).toEqual(ids);
  expect(cursors).toEqual(cursors.toSorted((a, b) => Number(a) - Number(b)));
  expect((await client.complete(ids[0] ?? "")).state).toBe("completed");
});

it("as many at once as are asked for, and no more", async () => {
  const ids = await issue(12);
  let now = 0;
  let most = 0;
  const four = Promise.withResolvers<void>();
  const { worked } = await workUntil(12, 4, async () => {
    most = Math.max(most, ++now);
    if (now === 4) four.resolve();
    await four.promise;
    now--;
  });
  expect(new Set(worked)).toEqual(new Set(ids));
  expect(most).toBe(4);
});

it("the cursor waits for the slowest, and a run that begins there gets the slow one again, and no one is missed", async () => {
  const ids = await issue(4);
  const cursors: string[] = [];
  const seen: string[] = [];
  const run = client.work(
    "concert",
    async ({ ticket }) => {
      seen.push(ticket.id);
      if (ticket.id !== ids[1]) return;
      await expect.poll(() => seen.length).toBe(4);
      throw new Error("the printer is on fire");
    },
    { concurrency: 4, onCursor: (cursor) => void cursors.push(cursor) },
  );
  await expect(run).rejects.toThrow("on fire");
  expect(seen).toEqual(ids);
  // The first alone was done with before the one that failed.
  const cursor = cursors.at(-1);
  const again: string[] = [];
  for await (const { ticket, complete } of client.admissions(
    "concert",
    cursor === undefined ? {} : { cursor },
  )) {
    again.push(ticket.id);
    await complete();
    break;
  }
  expect(again).toEqual([ids[1]]);
});

it("the node that is killed in the midst loses nobody", async () => {
  const ids = await issue(6);
  let killed = false;
  const { worked } = await workUntil(6, 1, async ({ ticket }) => {
    if (killed || ticket.id !== ids[2]) return;
    killed = true;
    const { data, ports } = usher;
    await usher.kill();
    usher = await startUsher({ config: CONFIG, data, ports });
  });
  expect(new Set(worked)).toEqual(new Set(ids));
  for (const id of ids) expect((await client.complete(id)).state).toBe("completed");
});

it("a signal that is aborted before anything has begun ends it at once", async () => {
  await client.work("concert", () => expect.unreachable(), { signal: AbortSignal.abort() });
});
