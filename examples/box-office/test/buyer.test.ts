// One buyer, over real sockets, at a server that follows a script.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Buyer } from "../src/burst/buyer.ts";
import { readBuyersFile } from "../src/burst/checker/buyers-file.ts";
import { Findings } from "../src/burst/checker/findings.ts";
import { parseBuyers } from "../src/burst/checker/parse.ts";
import { Journal } from "../src/burst/journal.ts";
import { EpochClock } from "../src/clock.ts";
import { LineFile } from "../src/line-file.ts";
import type { BuyersLine, Outcome } from "../src/lines.ts";
import { Random } from "../src/random.ts";

type Step = (response: ServerResponse, request: IncomingMessage) => void;

const key = "0123456789abcdef0123456789abcdef";
const type = "urn:usher:problem:some_reason";
let directory: string;
let server: Server;
let origin: string;
/** What the server was asked, as `METHOD path key`. */
let asked: string[];
let script: Step[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "box-office-buyer-"));
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["idempotency-key"] ?? "-"}`);
    request.resume();
    const step = script.shift() ?? ((last: ServerResponse) => last.destroy());
    step(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
  rmSync(directory, { recursive: true, force: true });
});

const sale = { purchase: "p-1", seats: [1] };
const reply =
  (status: number, headers: Record<string, string> = {}, body: unknown = sale): Step =>
  (response) =>
    response.writeHead(status, headers).end(JSON.stringify(body));
const problem = (status: number): Step =>
  reply(status, { "content-type": "application/problem+json" }, { type });
const ticket = (status: number, number: number): Step =>
  reply(
    status,
    { location: "/t/1", "retry-after": "0" },
    { ticket: { number, id: `q:e:${number}`, position: 2 } },
  );
const redirect: Step = reply(303, { location: "1/response", "usher-ticket": "17" }, {});
const breaks: Step = (response) => response.destroy();

/** Runs a buyer through the script; returns its outcome, and what the checker finds wrong with its lines. */
async function run(
  steps: Step[],
  change: { retry?: boolean; deadline_ms?: number; others?: readonly string[] } = {},
): Promise<{ outcome: Outcome; lines: BuyersLine[] }> {
  script = steps;
  const path = join(directory, "buyers.ndjson");
  const clock = new EpochClock();
  const file = new LineFile<BuyersLine>(path);
  file.write({ kind: "start", at_ms: clock.now(), options: { buyers: 1 } });
  const journal = new Journal(file, clock, 1);
  journal.scheduled(clock.now(), key);
  const deadline_ms = clock.now() + (change.deadline_ms ?? 20_000);
  const origins = [origin, ...(change.others ?? [])];
  const settings = { number: 1, key, origins, retry: change.retry ?? false, deadline_ms };
  const buyer = new Buyer(settings, journal, new Random(1), () => clock.now());
  const outcome = await buyer.run(() => {});
  file.close(clock.now());
  const findings = new Findings();
  const lines = parseBuyers(readFileSync(path, "utf8").trim().split("\n"), findings);
  const { buyers } = readBuyersFile(lines, findings);
  expect(findings.kept).toEqual([]);
  expect(buyers[0]!.outcome).toBe(outcome);
  expect(script).toEqual([]);
  return { outcome, lines };
}

const ask = `POST /api/purchases ${key}`;

describe("a buyer", () => {
  test("that is answered at once is done", async () => {
    expect((await run([reply(201)])).outcome).toBe("answered");
    expect(asked).toEqual([ask]);
  });

  test("that is given a ticket asks after it, follows to the answer, and is done", async () => {
    const { outcome, lines } = await run([
      ticket(202, 17),
      ticket(200, 17),
      ticket(200, 17),
      redirect,
      reply(201, { "usher-ticket": "17" }),
    ]);
    expect(outcome).toBe("answered");
    expect(asked).toEqual([ask, "GET /t/1 -", "GET /t/1 -", "GET /t/1 -", "GET /t/1/response -"]);
    expect(lines.find((line) => line.kind === "ticketed")).toMatchObject({ number: 17, id: "q:e:17" });
    expect(lines.at(-2)).toMatchObject({ kind: "outcome", status: 201, purchase: "p-1" });
  });

  test("asks over one connection", async () => {
    const ports = new Set<number | undefined>();
    server.on("connection", (socket) => ports.add(socket.remotePort));
    await run([ticket(202, 17), ticket(200, 17), redirect, reply(201)]);
    expect(ports.size).toBe(1);
  });

  test.each([
    ["502 of Usher", problem(502), "failed"],
    ["504 of Usher", problem(504), "unknown"],
    ["410", problem(410), "failed"],
  ])("that is told %s at its ticket ends so", async (_what, end, expected) => {
    expect((await run([ticket(202, 17), end])).outcome).toBe(expected);
  });

  test("that is answered 503 directly has failed, and does not come again", async () => {
    expect((await run([reply(503, { "retry-after": "0" }, {})], { retry: true })).outcome).toBe("failed");
    expect(asked).toEqual([ask]);
  });

  test("that gets the service's own failure through its ticket has failed", async () => {
    expect((await run([ticket(202, 17), redirect, reply(500, {}, {})])).outcome).toBe("failed");
  });
});

describe("a broken connection", () => {
  test("ends a purchase as failed when the buyer was not asked to come again", async () => {
    expect((await run([breaks])).outcome).toBe("failed");
    expect(asked).toEqual([ask]);
  });

  test("is tried again with the same key when it was", async () => {
    expect((await run([breaks, breaks, reply(201)], { retry: true })).outcome).toBe("answered");
    expect(asked).toEqual([ask, ask, ask]);
  });

  test("at a ticket, or at the answer, is always tried again", async () => {
    const half: Step = (response) => {
      response.writeHead(201, { "content-length": "100" }).write("{");
      setImmediate(() => response.destroy());
    };
    const steps = [ticket(202, 17), breaks, breaks, ticket(200, 17), redirect, half, breaks, reply(201)];
    expect((await run(steps)).outcome).toBe("answered");
    expect(asked.slice(1)).toEqual([...Array(4).fill("GET /t/1 -"), ...Array(3).fill("GET /t/1/response -")]);
  });

  test("to a server that is gone is no request sent", async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    const { outcome, lines } = await run([]);
    expect(outcome).toBe("failed");
    expect(lines.map(({ kind }) => kind)).toEqual(["start", "scheduled", "broken", "outcome", "end"]);
    server.listen(0);
  });
});

describe("a buyer that knows two gateways", () => {
  /** A second one, that follows the same script. */
  async function another(): Promise<string> {
    const other = createServer((request, response) => server.emit("request", request, response));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      other.close();
      other.closeAllConnections();
    });
    return `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  }

  const gateways = (lines: readonly BuyersLine[]): number[] =>
    lines.flatMap((line) => (line.kind === "sent" ? line.gateway : []));

  test("asks both after its ticket, and has the answer from the one that leads to it", async () => {
    const steps = [ticket(202, 17), ...Array<Step>(12).fill(ticket(200, 17)), redirect, reply(201)];
    const { outcome, lines } = await run(steps, { others: [await another()] });
    expect(outcome).toBe("answered");
    const asked = gateways(lines);
    expect(new Set(asked)).toEqual(new Set([1, 2]));
    expect(asked.at(-1)).toBe(asked.at(-2));
  });

  test("goes on at the other one when a connection breaks, and keeps away from the first", async () => {
    const steps = [breaks, ticket(202, 17), ...Array<Step>(8).fill(ticket(200, 17)), redirect, reply(201)];
    const { outcome, lines } = await run(steps, { others: [await another()], retry: true });
    expect(outcome).toBe("answered");
    expect(gateways(lines)).toEqual([1, ...Array(11).fill(2)]);
  });

  test("comes back to the first when the other one breaks, too", async () => {
    const steps = [ticket(202, 17), ...Array<Step>(6).fill(breaks), redirect, breaks, breaks, reply(201)];
    const { outcome, lines } = await run(steps, { others: [await another()] });
    expect(outcome).toBe("answered");
    expect(new Set(gateways(lines).slice(1, 7))).toEqual(new Set([1, 2]));
  });
});

describe("a buyer without a final word", () => {
  test("is lost at the deadline, with its last request broken off", async () => {
    const silent: Step = () => {};
    const { outcome, lines } = await run([ticket(202, 17), silent], { deadline_ms: 300 });
    expect(outcome).toBe("lost");
    expect(lines.find((line) => line.kind === "broken")).toMatchObject({ error: "TIMEOUT", to: "ticket" });
  });

  test("is lost when it is sent round in circles", async () => {
    const round = reply(303, { location: "/t/1" }, {});
    const steps = [ticket(202, 17), ...Array<Step>(6).fill(round)];
    expect((await run(steps)).outcome).toBe("lost");
  });

  test("is lost when it is sent elsewhere", async () => {
    const away = reply(202, { location: "http://127.0.0.2/t/1" }, { ticket: { number: 1, id: "q:e:1" } });
    expect((await run([away])).outcome).toBe("lost");
  });

  test("is not made of an answer without end", async () => {
    const endless: Step = (response) => {
      response.writeHead(200);
      response.write("x".repeat(100_000));
    };
    expect((await run([endless])).outcome).toBe("failed");
  });
});

test("Usher's refusal for now is waited for only by a buyer that comes again", async () => {
  const later = reply(503, { "content-type": "application/problem+json", "retry-after": "0" }, { type });
  expect((await run([later, later, reply(201)], { retry: true })).outcome).toBe("answered");
  expect((await run([later])).outcome).toBe("failed");
});
