// Tokens that prove nothing, by RPC and over HTTP: one answer for all that are not ours, whatever is wrong with them,
// and another for those of tickets that are over and forgotten.

import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TicketState } from "@usher/protocol/queue";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf, PORTS, type QueueClient, refusalOf, refusalsOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { counted, refusalsCounted } from "../support/metrics.ts";
import { startUsher, type Usher } from "../support/usher.ts";

/** Nobody is admitted; `brief` forgets whoever has ended after the least time that can be set. */
const CONFIG = `
queues:
  line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
  brief: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h, key_retention: 1s }
`;

/** What memory may grow by, in bytes, for all rows of this file together; 128 MiB. */
const GROWTH_MAX = 128 * 1_024 * 1_024;

let usher: Usher;
let bytes_before: number;
let line: Ledger;
/** A token that is good, and what was made of it. */
let good: string;
const bad = new Map<string, string>();

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  line = new Ledger(backendOf(usher), "line");
  good = (await line.takeNext()).token;
  for (const [what, token] of Object.entries(spoilt(good))) bad.set(what, token);
  await using elsewhere = await startUsher({ config: CONFIG });
  bad.set("of another deployment", (await backendOf(elsewhere).issue({ queue: "line" })).token);
  bytes_before = await residentBytes(usher.pid);
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  expect((await residentBytes(usher.pid)) - bytes_before).toBeLessThan(GROWTH_MAX);
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
});

/** Every kind of damage, by name. */
function spoilt(token: string): Record<string, string> {
  const bytes = Buffer.from(token, "base64url");
  const flipped = (at: number): string => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    return copy.toString("base64url");
  };
  const changed = Array.from(bytes, (_, at) => [`with a bit changed in byte ${at}`, flipped(at)] as const);
  const jwt = (header: object) => [header, { sub: "1", exp: 4_102_444_800 }].map(encoded).join(".");
  return {
    ...Object.fromEntries(changed),
    empty: "",
    "of one character": token.slice(0, 1),
    "cut in half": token.slice(0, token.length / 2),
    "without its last character": token.slice(0, -1),
    "without its tag": bytes.subarray(0, -16).toString("base64url"),
    "that is a tag alone": bytes.subarray(-16).toString("base64url"),
    "with a character more": `${token}A`,
    "twice over": token + token,
    "in the other base64": `${bytes.toString("base64")}==`,
    "with a space before it": ` ${token}`,
    "in other letters": token.toUpperCase() === token ? token.toLowerCase() : token.toUpperCase(),
    "of zeros": "A".repeat(token.length),
    "that is a ticket's number": "1",
    "that is a JWT without a signature": `${jwt({ alg: "none" })}.`,
    "that is a JWT with somebody's key": `${jwt({ alg: "HS256", jku: "https://evil.example/", kid: "../" })}.AAAA`,
    "in Korean": "표",
    "of 300 characters": "A".repeat(300),
    "of 4,000 characters": "A".repeat(4_000),
  };
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

describe.each(PORTS)("$name", (port) => {
  let client: QueueClient;
  beforeAll(() => {
    client = backendOf(usher, port);
  });

  test("every token that is not ours gets the same answer, from every call", async () => {
    const answers = [];
    for (const token of [...bad.values(), "A".repeat(60_000)])
      answers.push(
        ...(await refusalsOf(
          client.getTicket({ token }),
          client.leave({ token }),
          first(client.watchPosition({ token })),
        )),
      );
    const [one] = answers;
    expect(one).toEqual({
      code: "Unauthenticated",
      reason: "TOKEN_INVALID",
      metadata: {},
      message: expect.any(String),
      retry_ms: undefined,
    });
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(one)]));
    expect((await client.getTicket({ token: good })).status?.ticket?.number).toBe(1);
  });

  test("the token of a ticket that is over and forgotten is told so", async () => {
    const { token } = await client.issue({ queue: "brief" });
    await client.leave({ token });
    const refused = await eventually(() => refusalOf(client.getTicket({ token })));
    expect(refused).toMatchObject({ code: "NotFound", reason: "TICKET_NOT_FOUND", retry_ms: undefined });
    expect(await refusalOf(client.leave({ token }))).toEqual(refused);
    expect(await refusalOf(first(client.watchPosition({ token })))).toEqual(refused);
  });

  test("one that claims to have read further than the log is told to come again", async () => {
    const refused = await refusalOf(client.getTicket({ token: good, asOf: 2n ** 63n }));
    expect(refused).toMatchObject({ code: "Unavailable", reason: "BEHIND" });
    expect(refused.retry_ms).toBeGreaterThan(0);
  });
});

describe("over HTTP", () => {
  async function answer(token: string, path = "", method = "GET") {
    const url = `${usher.gatewayUrl}/_usher/tickets/${encodeURIComponent(token)}${path}`;
    const res = await fetch(url, { method, redirect: "manual" });
    const { status } = res;
    return {
      status,
      type: res.headers.get("content-type"),
      cache: res.headers.get("cache-control"),
      body: await res.json(),
    };
  }

  test("every token that is not ours gets the same answer, whatever is asked of it", async () => {
    const answers = [];
    // Without one, or with a slash in it, the path is another.
    for (const token of [...bad.values()].filter((token) => token !== "" && !token.includes("/"))) {
      answers.push(await answer(token));
      answers.push(await answer(token, "", "DELETE"));
      answers.push(await answer(token, "/response"));
    }
    const [one] = answers;
    expect(one).toEqual({
      status: 404,
      type: "application/problem+json",
      cache: "no-store",
      body: {
        type: "urn:usher:problem:ticket_not_found",
        title: expect.any(String),
        status: 404,
        detail: expect.any(String),
      },
    });
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(one)]));
    expect((await answer(good)).body).toMatchObject({ ticket: { number: 1, position: 1 } });
  });

  test("no token at all is nothing", async () => {
    for (const path of ["", "/"]) {
      const res = await fetch(`${usher.gatewayUrl}/_usher/tickets${path}`);
      expect(res.status).toBe(404);
      expect(await res.json()).toMatchObject({ type: "urn:usher:problem:not_found" });
    }
  });

  test("the token of a ticket that is over and forgotten is gone, with words of its own", async () => {
    const { token } = await backendOf(usher).issue({ queue: "brief" });
    const left = await answer(token, "", "DELETE");
    expect(left.body).toMatchObject({ ticket: { state: "TICKET_STATE_LEFT" } });
    const gone = await eventually(async () => {
      const told = await answer(token);
      expect(told.body).toMatchObject({ type: "urn:usher:problem:ticket_forgotten" });
      return told;
    });
    expect(gone.status).toBe(410);
    expect(await answer(token, "", "DELETE")).toEqual(gone);
    expect(await answer(token, "/response")).toEqual(gone);
  });

  test("a token in the query, or in a header, opens nothing", async () => {
    for (const [target, headers] of [
      [`/_usher/tickets?token=${good}`, {}],
      ["/_usher/tickets", { authorization: `Bearer ${good}`, "usher-pass": good }],
    ] as const) {
      const res = await fetch(`${usher.gatewayUrl}${target}`, { headers });
      expect(res.status).toBe(404);
      expect(await res.text()).not.toContain(good);
    }
  });
});

test("a token that is not ours is counted by its reason, by RPC by its code, and the log has said it", async () => {
  const code = 'method="usher.queue.v1.QueueService/GetTicket",protocol="connect",code="UNAUTHENTICATED"';
  const counts = async () => [
    await refusalsCounted(usher, "ticket_not_found"),
    await counted(usher, "usher_rpc_calls_total", code),
  ];
  const [problems = 0, errors = 0] = await counts();
  const token = `${good}A`;
  await (await fetch(`${usher.gatewayUrl}/_usher/tickets/${token}`)).arrayBuffer();
  await refusalOf(backendOf(usher).getTicket({ token }));
  expect(await counts()).toEqual([problems + 1, errors + 1]);
  expect(usher.output()).toContain("refused with 404 ticket_not_found");
});

test("one token in a hundred hands at once: all are told the same place, and to leave by it is to leave once", async () => {
  const client = backendOf(usher);
  const { token, status } = await line.takeNext();
  const hundred = <T>(call: () => Promise<T>) => Promise.all(Array.from({ length: 100 }, call));
  const told = await hundred(() => client.getTicket({ token }));
  expect(new Set(told.map((answer) => answer.status?.ticket?.id))).toEqual(new Set([status?.ticket?.id]));
  const { queue: before } = await client.getQueue({ queue: "line" });
  const left = await hundred(() => client.leave({ token }));
  expect(new Set(left.map((answer) => answer.status?.ticket?.state))).toEqual(new Set([TicketState.LEFT]));
  const { queue: after } = await client.getQueue({ queue: "line" });
  expect(after?.waiting).toBe(Number(before?.waiting) - 1);
});

test("tokens of a log that was made anew, under the same keys, are told so", async () => {
  const data = join(await mkdtemp(join(tmpdir(), "usher-anew-")), "data");
  try {
    await mkdir(data, { mode: 0o700 });
    await copyFile(join(usher.data, "usher.keys.json"), join(data, "usher.keys.json"));
    await using anew = await startUsher({ config: CONFIG, data });
    for (const port of PORTS) {
      const refused = await refusalOf(backendOf(anew, port).getTicket({ token: good }));
      expect(refused).toMatchObject({ code: "FailedPrecondition", reason: "QUEUE_RESET" });
    }
    const res = await fetch(`${anew.gatewayUrl}/_usher/tickets/${good}`);
    expect(res.status).toBe(410);
    expect(await res.json()).toMatchObject({ type: "urn:usher:problem:queue_reset" });
    await new Ledger(backendOf(anew), "line").takeNext();
  } finally {
    await rm(join(data, ".."), { recursive: true });
  }
});

test("a token stands in no answer but the one that gave it, and in nothing that the program says", async () => {
  const client = backendOf(usher);
  const { status } = await client.getTicket({ token: good });
  const { queue } = await client.getQueue({ queue: "line" });
  for (const text of [status?.ticket?.id, queue?.notice, usher.output()]) expect(text).not.toContain(good);
  const res = await fetch(`${usher.gatewayUrl}/_usher/tickets/${good}`);
  expect([...res.headers.values()].join() + (await res.text())).not.toContain(good);
});

/** The first message of a stream. */
async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  for await (const message of stream) return message;
  return undefined;
}
