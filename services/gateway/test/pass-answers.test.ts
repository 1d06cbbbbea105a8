// Answers that go on and on before a queue of people: each is a use of the pass that let its request in, and none outlives
// the slot of whoever holds it.

import { type EventEmitter, once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { formatTicketId, freshKeys } from "@usher/replica";
import { MemoryStore } from "@usher/ticket-log";
import { expect, onTestFinished, test } from "vitest";
import { Use } from "../src/waiting/pass/uses.ts";
import { configure, type Node, openNode, problemIn, QUEUE, Visitor } from "./support/pass-queue.ts";
import { Raw } from "./support/raw.ts";
import { openHttp, until } from "./support/service.ts";

const CHUNK = Buffer.alloc(64 * 1_024, "u");

interface Shop {
  readonly node: Node;
  /** The answers that were begun, or are owed, in the order of their requests. */
  readonly answers: ServerResponse[];
}

/** Before a service that answers by `act`. */
async function open(act: RequestListener, session_ms = 600_000): Promise<Shop> {
  const answers: ServerResponse[] = [];
  const port = await openHttp((req, res) => {
    answers.push(res);
    act(req, res);
  });
  const node = await openNode({ service: port });
  await configure(node, { session_ms });
  return { node, answers };
}

/** Begins an answer, and never ends it. */
function begin(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/event-stream" }).write("data: begun\n\n");
}

/** Begins an answer, and goes on with it as long as anybody takes it. */
function flood(_req: IncomingMessage, res: ServerResponse): void {
  const more = (): void => {
    while (!res.destroyed && res.write(CHUNK));
  };
  res.on("drain", more);
  more();
}

async function complete({ replica }: Node, number: number): Promise<void> {
  const id = formatTicketId({ queue: QUEUE, epoch: replica.epoch(), number });
  await replica.desk.complete(replica.desk.named(id));
}

/** Not by `once`, which an error before it ends. */
function closed(stream: ServerResponse | ClientHttp2Stream | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (stream === undefined || stream.closed) resolve();
    else (stream as EventEmitter).once("close", resolve);
  });
}

async function openRaw({ gateway }: Node, request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"): Promise<Raw> {
  const raw = await Raw.open(gateway.port);
  onTestFinished(() => raw.close());
  return raw.send(request);
}

function openHttp2({ gateway }: Node): ClientHttp2Session {
  const session = connect(gateway.url);
  onTestFinished(() => session.destroy());
  return session;
}

/** A stream whose answer has begun. */
async function openStream(session: ClientHttp2Session): Promise<ClientHttp2Stream> {
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => undefined);
  await once(stream, "response");
  return stream;
}

test("an answer is broken off when the ticket of whoever asked for it has ended", async () => {
  const { node, answers } = await open(begin);
  const raw = await openRaw(node);
  await raw.until(/data: begun/);
  await complete(node, 1);
  // Without the last chunk: nobody takes it for whole.
  expect(await raw.closed()).not.toMatch(/\r\n0\r\n/);
  await closed(answers[0]);
});

test("one whose end only its connection tells is broken off by a reset", async () => {
  const { node } = await open(begin);
  const raw = await openRaw(node, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  await raw.until(/data: begun/);
  const [[error]] = await Promise.all([once(raw.socket, "error"), complete(node, 1)]);
  expect(error).toMatchObject({ code: "ECONNRESET" });
});

test("its holder can end it, too, by leaving", async () => {
  const { node } = await open(begin);
  const ann = new Visitor(node);
  const raw = await openRaw(node, "GET / HTTP/1.1\r\nHost: a\r\nUsher-Pass: none\r\n\r\n");
  const head = await raw.until(/data: begun/);
  const [, visitor = ""] = /usher-visitor=([\w-]+)/.exec(head) ?? [];
  ann.cookies.set("usher-visitor", visitor);
  const { desk } = node.replica;
  const { token } = desk.findVisitor({ queue: QUEUE, visitor: `cookie:${visitor}` }) ?? {};
  expect((await ann.ask(`/_usher/tickets/${token}`, {}, "DELETE")).status).toBe(200);
  await raw.closed();
});

test("whichever node was told that the ticket has ended", async () => {
  const port = await openHttp(begin);
  const [store, keys] = [new MemoryStore({ shared: true }), freshKeys()];
  const a = await openNode({ service: port, store, keys, name: "a" });
  const b = await openNode({ service: port, store, keys, name: "b" });
  await configure(a, {});
  await until(() => b.replica.fold.queue(QUEUE) !== undefined);
  const raw = await openRaw(b);
  await raw.until(/data: begun/);
  await complete(a, 1);
  await raw.closed();
});

test("over HTTP/2 its stream alone is reset, with an error", async () => {
  const { node, answers } = await open(begin);
  const session = openHttp2(node);
  const stream = await openStream(session);
  stream.resume();
  const other = session.request({ ":path": "/livez" });
  await once(other, "response");
  await complete(node, 1);
  await closed(stream);
  expect(stream.rstCode).toBe(2);
  await closed(answers[0]);
  expect([session.closed, session.destroyed]).toEqual([false, false]);
});

test("who reads nothing of it does not keep it, over HTTP/1.1 and HTTP/2", async () => {
  const { node, answers } = await open(flood);
  await configure(node, { max_active: 2 });
  const raw = await openRaw(node);
  raw.socket.pause();
  await until(() => answers[0]?.writableNeedDrain === true);
  const stream = await openStream(openHttp2(node));
  await until(() => answers[1]?.writableNeedDrain === true);
  await Promise.all([complete(node, 1), complete(node, 2)]);
  await Promise.all([closed(answers[0]), closed(answers[1]), closed(stream)]);
  raw.socket.resume();
  await raw.closed();
});

test("its slot goes to the next, once", async () => {
  const { node } = await open(begin);
  const raw = await openRaw(node);
  await raw.until(/data: begun/);
  const [bob, cyd] = [new Visitor(node), new Visitor(node)];
  for (const visitor of [bob, cyd]) expect((await visitor.ask("/")).status).toBe(429);
  await complete(node, 1);
  await raw.closed();
  const { active, waiting, admissions } = node.replica.fold.queue(QUEUE) ?? {};
  expect({ active, waiting, admissions }).toEqual({ active: 1, waiting: 1, admissions: 2 });
  expect(problemIn(await cyd.ask("/"))).toMatchObject({ ticket: { number: 3, position: 1 } });
});

test("an answer that goes on is a use of the pass: its session is extended, again and again", async () => {
  const { node, answers } = await open(begin, 1_000);
  const raw = await openRaw(node);
  const extensions = () => node.replica.fold.queue(QUEUE)?.ticket(1)?.session?.extensions ?? 0;
  await until(() => extensions() >= 2);
  answers[0]?.end("data: ended\n\n");
  expect((await raw.answer()).body).toBe("data: begun\n\ndata: ended\n\n");
});

test("what has not begun to be answered when the ticket ends is still answered", async () => {
  const { node, answers } = await open((req, res) => {
    if (req.url === "/") begin(req, res);
  });
  const endless = await openRaw(node);
  const [, visitor] = /(usher-visitor=[\w-]+)/.exec(await endless.until(/data: begun/)) ?? [];
  const owed = await openRaw(node, `POST /last HTTP/1.1\r\nHost: a\r\nCookie: ${visitor}\r\n\r\n`);
  await until(() => answers.length === 2);
  await complete(node, 1);
  // Looked at together.
  await endless.closed();
  answers[1]?.end("thank you");
  expect(await owed.answer()).toMatchObject({ status: 200, body: "thank you" });
});

test("an answer is broken off at the second look that finds it begun, its ticket being over, and not at the first", () => {
  const uses = new Set<Use>();
  const use = new Use(uses, { number: 1, epoch: "e" });
  let broken = 0;
  use.late();
  use.late();
  use.answering(() => broken++);
  use.late();
  expect(broken).toBe(0);
  use.late();
  expect([broken, uses.size]).toEqual([1, 1]);
  use.over();
  expect(uses.size).toBe(0);
});
