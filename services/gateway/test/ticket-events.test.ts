// A ticket as a stream of server-sent events: told at once, at every change, and to its end, and not for longer.

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:http2";
import { formatTicketId, SILENCE_MS } from "@usher/replica";
import { expect, onTestFinished, test } from "vitest";
import {
  configure,
  type Node,
  type NodeOptions,
  openNode,
  openShop,
  problemIn,
  QUEUE,
  Visitor,
} from "./support/pass-queue.ts";
import { until } from "./support/service.ts";

/** A place in the line, behind somebody who is admitted. */
async function open(options: Partial<NodeOptions> = {}): Promise<{ node: Node; ticket_url: string }> {
  const shop = await openShop();
  const node = await openNode({ ...options, service: shop.port });
  await configure(node, {});
  await new Visitor(node).ask("/");
  return { node, ticket_url: `${problemIn(await new Visitor(node).ask("/")).ticket_url}` };
}

interface Event {
  readonly id: string | undefined;
  readonly retry: string | undefined;
  readonly data: Record<string, unknown>;
}

class Events {
  readonly answer: IncomingMessage;
  #text = "";

  private constructor(answer: IncomingMessage) {
    this.answer = answer;
    answer.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
    });
    answer.on("error", () => undefined);
  }

  static async open({ gateway }: Node, path: string, headers: Record<string, string> = {}): Promise<Events> {
    const request = get(`${gateway.url}${path}`, { headers: { accept: "text/event-stream", ...headers } });
    onTestFinished(() => void request.destroy());
    request.on("error", () => undefined);
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    return new Events(answer);
  }

  /** How often it was told that the place is still there, between events. */
  get heartbeats(): number {
    return this.#text.split("\n\n").filter((event) => event.startsWith(":")).length;
  }

  get all(): Event[] {
    return this.#text
      .split("\n\n")
      .filter((event) => event.includes("data: "))
      .map((event) => ({
        id: /^id: (.*)$/m.exec(event)?.[1],
        retry: /^retry: (.*)$/m.exec(event)?.[1],
        data: JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? ""),
      }));
  }

  /** Waits for the first event that fits. */
  async until(fits: (event: Event) => boolean): Promise<Event> {
    for (;;) {
      const found = this.all.find(fits);
      if (found !== undefined) return found;
      if (this.answer.closed) throw new Error(`the stream ended before that: ${this.#text}`);
      await Promise.race([once(this.answer, "data"), once(this.answer, "close")]);
    }
  }

  async ended(): Promise<Event[]> {
    if (!this.answer.readableEnded) await once(this.answer, "end");
    return this.all;
  }
}

function stateOf({ data }: Event): unknown {
  return (data as { ticket: { state: string } }).ticket.state;
}

async function end({ replica }: Node, number: number): Promise<void> {
  const id = formatTicketId({ queue: QUEUE, epoch: replica.epoch(), number });
  await replica.desk.complete(replica.desk.named(id));
}

test("tells the place at once, the admission with the pass, and the end, after which it ends itself", async () => {
  const { node, ticket_url } = await open();
  const events = await Events.open(node, ticket_url);
  expect(events.answer.statusCode).toBe(200);
  expect(events.answer.headers).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const first = await events.until(() => true);
  expect(first).toMatchObject({ data: { ticket: { number: 2, position: 1 } }, retry: expect.any(String) });
  await end(node, 1);
  const admitted = await events.until((event) => stateOf(event) === "TICKET_STATE_ADMITTED");
  expect(admitted.data.pass).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  await end(node, 2);
  const last = (await events.ended()).at(-1);
  expect(last && stateOf(last)).toBe("TICKET_STATE_COMPLETED");
  expect(last?.id).toBe("end");
});

test("who has seen the end and comes again is told not to", async () => {
  const { node, ticket_url } = await open();
  await end(node, 1);
  await end(node, 2);
  expect((await (await Events.open(node, ticket_url)).ended()).map(({ id }) => id)).toEqual(["end"]);
  const again = await Events.open(node, ticket_url, { "last-event-id": "end" });
  expect(again.answer.statusCode).toBe(204);
});

test("who comes again in the middle goes on from where the stream broke off", async () => {
  const { node, ticket_url } = await open();
  const first = await (await Events.open(node, ticket_url)).until(() => true);
  const again = await Events.open(node, ticket_url, { "last-event-id": `${first.id}` });
  expect(Number((await again.until(() => true)).id)).toBeGreaterThanOrEqual(Number(first.id));
  const ahead = await Events.open(node, ticket_url, { "last-event-id": "999999999" });
  expect(ahead.answer.statusCode).toBe(503);
});

test("the page's stream is in words, and its end says that it is over", async () => {
  const { node, ticket_url } = await open();
  const events = await Events.open(node, `${ticket_url}?page=ko`);
  expect((await events.until(() => true)).data).toMatchObject({
    state: "waiting",
    position: 1,
    texts: { heading: "대기 중입니다", number: "2" },
  });
  await node.replica.desk.leave(node.replica.desk.named(`${QUEUE}:${node.replica.epoch()}:2`));
  expect((await events.ended()).at(-1)?.data).toMatchObject({ state: "over" });
});

test("a node that shuts down tells when to come again, and ends the stream", async () => {
  const { node, ticket_url } = await open();
  const events = await Events.open(node, ticket_url);
  await events.until(() => true);
  node.replica.drain();
  const last = (await events.ended()).at(-1);
  expect(Number(last?.retry)).toBeLessThan(2_000);
  expect(last && stateOf(last)).toBe("TICKET_STATE_WAITING");
});

test("a client that goes away takes its watcher with it", async () => {
  const { node, ticket_url } = await open();
  const events = await Events.open(node, ticket_url);
  await events.until(() => true);
  expect(node.replica.places.watchers).toBe(1);
  events.answer.destroy();
  while (node.replica.places.watchers > 0) await new Promise(setImmediate);
});

test("over HTTP/2 the page, the stream and the way through are the same", async () => {
  const { node, ticket_url } = await open();
  const client = connect(node.gateway.url);
  onTestFinished(() => client.destroy());
  const ask = async (headers: Record<string, string>) => {
    const stream = client.request({ ":path": "/", ...headers });
    const [head] = (await once(stream, "response")) as [Record<string, unknown>];
    return { stream, head };
  };
  const page = await ask({ accept: "text/html", "sec-fetch-mode": "navigate" });
  expect(page.head).toMatchObject({
    ":status": 202,
    "set-cookie": [expect.stringMatching(/^usher-visitor=/)],
  });
  page.stream.resume();
  const events = await ask({ ":path": ticket_url, accept: "text/event-stream" });
  expect(events.head).toMatchObject({ ":status": 200, "content-type": "text/event-stream" });
  const [first] = (await once(events.stream, "data")) as [Buffer];
  expect(`${first}`).toMatch(/^retry: \d+\nid: \d+\ndata: \{"ticket":/);
  events.stream.close();
  await end(node, 1);
  const { pass } = JSON.parse((await new Visitor(node).ask(ticket_url)).text);
  const cookie = `usher-pass-${QUEUE}=${pass}`;
  const through = await ask({ cookie });
  expect(through.head).toMatchObject({ ":status": 200 });
  through.stream.resume();
  while (node.replica.places.watchers > 0) await new Promise(setImmediate);
});

test("as a stream, too, a token that is none leads nowhere", async () => {
  const { node } = await open();
  const events = await Events.open(node, "/_usher/tickets/none");
  expect(events.answer.statusCode).toBe(404);
});

test("a place at which nothing happens is told to be still there, and not told anew", async () => {
  const { node, ticket_url } = await open({ heartbeat_ms: 10 });
  const events = await Events.open(node, ticket_url);
  await until(() => events.heartbeats >= 3);
  expect(events.all).toHaveLength(1);
  await end(node, 1);
  await events.until((event) => stateOf(event) === "TICKET_STATE_ADMITTED");
  // What nobody sets is sooner than the shortest time for which anybody in between waits.
  expect(SILENCE_MS).toBeLessThan(15_000);
});

test("for who reads nothing, nothing piles up: what lay between is missed", async () => {
  const { node, ticket_url } = await open();
  const client = connect(node.gateway.url);
  onTestFinished(() => client.destroy());
  const stream = client.request({ ":path": ticket_url, accept: "text/event-stream" });
  await once(stream, "response");
  // Nearly twice a stream's window in HTTP/2, and all that Node writes ahead of it.
  const notices = 150;
  for (let n = 1; n <= notices; n++) await configure(node, { notice: `${n}`.padEnd(500, "기") });
  const texts: string[] = [];
  stream.setEncoding("utf8").on("data", (text: string) => texts.push(text));
  const told = () => [...texts.join("").matchAll(/"notice":"(\d+)/g)].map(([, n]) => Number(n));
  await until(() => told().at(-1) === notices);
  expect(told().length).toBeLessThan(notices);
  expect(node.replica.places.watchers).toBe(1);
});

test("where a node holds as many streams as it may, one more is refused, and told when to come again", async () => {
  const { node, ticket_url } = await open();
  const { places } = node.replica;
  const streams: AsyncGenerator<void>[] = [];
  while (!places.full) {
    const stream = places.watch(QUEUE, 1, new AbortController().signal);
    await stream.next();
    streams.push(stream);
  }
  const refused = await new Visitor(node).ask(ticket_url, { accept: "text/event-stream" });
  expect(refused.status).toBe(503);
  expect(refused.headers).toMatchObject({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "retry-after": "1",
  });
  expect(problemIn(refused)).toMatchObject({ type: "urn:usher:problem:overloaded" });
  // Who only asks is answered as ever.
  expect((await new Visitor(node).ask(ticket_url)).status).toBe(200);
  await streams[0]?.return(undefined);
  const events = await Events.open(node, ticket_url);
  await events.until(() => true);
  expect(events.answer.statusCode).toBe(200);
  await Promise.all(streams.map((stream) => stream.return(undefined)));
});

test("who asks for the head of a stream alone is given it", async () => {
  const { node, ticket_url } = await open();
  const answer = await new Visitor(node).ask(ticket_url, { accept: "text/event-stream" }, "HEAD");
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, "text/event-stream"]);
  const client = connect(node.gateway.url);
  onTestFinished(() => client.destroy());
  const stream = client.request({ ":method": "HEAD", ":path": ticket_url, accept: "text/event-stream" });
  const [head] = await once(stream, "response");
  expect(head).toMatchObject({ ":status": 200, "content-type": "text/event-stream" });
  await once(stream.resume(), "end");
  expect(stream.rstCode).toBe(0);
  expect(node.replica.places.watchers).toBe(0);
});
