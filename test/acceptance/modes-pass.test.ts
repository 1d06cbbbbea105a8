// What operators can make of a pass queue while it runs, as visitors of the gateway see it.

import { QueueMode } from "@usher/protocol/queue";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adminOf, CONNECT, callerOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let service: Service;
let usher: Usher;

beforeEach(async () => {
  service = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues: { sale: { kind: pass, limit: { max_active: 1 }, max_wait: 10m } }
routes: [{ match: /*, service: shop, queue: sale }]
`,
    demo: true,
  });
});
afterEach(async () => {
  await usher?.stop();
  await service?.stop();
});

/** Somebody with a browser, which keeps cookies. */
class Visitor {
  readonly #cookies = new Map<string, string>();

  /** The status of the answer, and the number of the ticket, as the client is told or the service is. */
  async ask(): Promise<[status: number, ticket: number | undefined]> {
    const cookie = [...this.#cookies].map((pair) => pair.join("=")).join("; ");
    const answer = await fetch(usher.gatewayUrl, { headers: cookie === "" ? {} : { cookie } });
    await answer.arrayBuffer();
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    const told = answer.status === 200 ? service.seen.at(-1)?.headers["usher-ticket"] : undefined;
    const ticket = told ?? answer.headers.get("usher-ticket") ?? undefined;
    return [answer.status, ticket === undefined ? undefined : Number(ticket)];
  }
}

async function setMode(mode: QueueMode): Promise<void> {
  const admin = adminOf(usher);
  const { queue } = await admin.getQueue({ queue: "sale" });
  await admin.updateQueue({
    ...{ queue: "sale", settings: { mode }, updateMask: { paths: ["mode"] } },
    ...{ etag: queue?.etag ?? "", reason: "a test" },
  });
}

/** A backend's word that the ticket with that number is done with. */
async function complete(number: number): Promise<void> {
  const caller = callerOf(usher, CONNECT);
  const { status } = await caller.issue({ queue: "sale" });
  const id = (status?.ticket?.id ?? "").replace(/\d+$/, `${number}`);
  await caller.complete({ ticketId: id });
}

test("AUTO and QUEUE_ALL: everybody takes a ticket, and whoever is admitted goes through with a pass, in turn", async () => {
  const [ann, bob] = [new Visitor(), new Visitor()];
  expect([await ann.ask(), await bob.ask(), await ann.ask()]).toEqual([
    [200, 1],
    [429, 2],
    [200, 1],
  ]);
  await setMode(QueueMode.QUEUE_ALL);
  expect([await ann.ask(), await bob.ask()]).toEqual([
    [200, 1],
    [429, 2],
  ]);
  await complete(1);
  await eventually(async () => expect(await bob.ask()).toEqual([200, 2]));
});

test("PAUSED: those who are in go on, and nobody else comes in, though there is room, until it goes on", async () => {
  const [ann, bob] = [new Visitor(), new Visitor()];
  expect(await ann.ask()).toEqual([200, 1]);
  await setMode(QueueMode.PAUSED);
  expect([await ann.ask(), await bob.ask()]).toEqual([
    [200, 1],
    [429, 2],
  ]);
  await complete(1);
  expect(await bob.ask()).toEqual([429, 2]);
  await setMode(QueueMode.AUTO);
  await eventually(async () => expect(await bob.ask()).toEqual([200, 2]));
});

test("OPEN: newcomers go through without a ticket, and those who wait wait on for room", async () => {
  const [ann, bob] = [new Visitor(), new Visitor()];
  expect([await ann.ask(), await bob.ask()]).toEqual([
    [200, 1],
    [429, 2],
  ]);
  await setMode(QueueMode.OPEN);
  for (const newcomer of [new Visitor(), new Visitor()])
    expect(await newcomer.ask()).toEqual([200, undefined]);
  expect([await ann.ask(), await bob.ask()]).toEqual([
    [200, 1],
    [429, 2],
  ]);
});

test("CLOSED: newcomers are refused, and those who have a ticket are served", async () => {
  const [ann, bob] = [new Visitor(), new Visitor()];
  await ann.ask();
  expect(await bob.ask()).toEqual([429, 2]);
  // Its own ticket is taken before the queue is closed.
  const caller = callerOf(usher, CONNECT);
  const { status } = await caller.issue({ queue: "sale" });
  await setMode(QueueMode.CLOSED);
  expect(await new Visitor().ask()).toEqual([503, undefined]);
  expect(await ann.ask()).toEqual([200, 1]);
  await caller.complete({ ticketId: (status?.ticket?.id ?? "").replace(/\d+$/, "1") });
  await eventually(async () => expect(await bob.ask()).toEqual([200, 2]));
});
