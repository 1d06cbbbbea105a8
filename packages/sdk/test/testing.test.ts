// Queues in memory, as a program's own tests have them. What they answer is held to the real server's in calls.test.ts;
// here is what no real server has: a clock that is moved, and failures on demand.

import { describe, expect, it } from "vitest";
import { BackendClient } from "../src/client/backend.ts";
import { createGuard } from "../src/guard.ts";
import { type Status, type Ticket, UsherError } from "../src/index.ts";
import { createTestQueues } from "../src/testing.ts";

const ONE_A_SECOND = { concert: { rate_per_second: 1 } } as const;

/** Longer than any pause of a client that nobody told to wait. */
const ANY_PAUSE_MS = 17_000;

interface Watched {
  readonly seen: Status[];
  /** What was mended without a word. */
  readonly mended: string[];
}

/** What a watch tells, as it tells it. */
function watched(ticket: Ticket): Watched {
  const told: Watched = { seen: [], mended: [] };
  void (async () => {
    const onRetry = ({ code }: UsherError): void => void told.mended.push(code);
    for await (const status of ticket.watch({ onRetry })) told.seen.push(status);
  })();
  return told;
}

/** Takes so many tickets, one after the other; gives the last. */
async function line(client: BackendClient, count: number): Promise<Ticket> {
  for (let at = 1; at < count; at++) await client.issue("concert");
  return client.issue("concert");
}

function codeOf(error: unknown): unknown {
  return error instanceof UsherError ? error.code : error;
}

describe("time", () => {
  it("passes when it is moved, and lets in as many as the rate says", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const ticket = await line(queues.client(), 4);
    const { seen } = watched(ticket);
    const positions = () => seen.map(({ position }) => position);
    await queues.advance(0);
    expect(positions()).toEqual([3]);
    await queues.advance(500);
    expect(positions()).toEqual([3]);
    await queues.advance(500);
    expect(positions()).toEqual([3, 2]);
    await queues.advance(60_000);
    expect(positions()).toEqual([3, 2, 1, 0]);
  });

  it("is the same for statuses, and counted from where the test says", async () => {
    const queues = createTestQueues(ONE_A_SECOND, { startsAt: new Date("2030-06-01T20:00:00Z") });
    const ticket = await line(queues.client(), 2);
    await queues.advance(1_000);
    expect(queues.now).toEqual(new Date("2030-06-01T20:00:01Z"));
    const status = await ticket.refresh();
    expect(status.issuedAt).toEqual(new Date("2030-06-01T20:00:00Z"));
    expect(status.admittedAt?.getTime()).toBeGreaterThan(status.issuedAt?.getTime() ?? 0);
    expect(status.admittedAt?.getTime()).toBeLessThanOrEqual(queues.now.getTime());
  });

  it("comes to the end of tickets, in order, however far it is moved", async () => {
    const queues = createTestQueues({ concert: { max_active: 1, session_ms: 60_000, max_wait_ms: 80_000 } });
    const client = queues.client();
    const first = watched(await client.issue("concert"));
    const second = watched(await client.issue("concert"));
    await queues.advance(10 * 60_000);
    expect(first.seen.map(({ state }) => state)).toEqual(["admitted", "expired"]);
    expect(second.seen.map(({ state }) => state)).toEqual(["waiting", "expired"]);
    expect([...first.mended, ...second.mended]).toEqual([]);
  });

  it("holds nothing that would go on by itself", async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout");
    const queues = createTestQueues(ONE_A_SECOND);
    const { seen } = watched(await line(queues.client(), 3));
    await queues.advance(100);
    expect(seen).not.toEqual([]);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout")).toEqual(before);
  });

  it("cannot be moved back, nor to no end", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(await queues.advance(ms).catch(codeOf)).toBe("misused");
  });
});

describe("a client", () => {
  it("is of the class that createClient returns", () => {
    expect(createTestQueues(ONE_A_SECOND).client()).toBeInstanceOf(BackendClient);
  });

  it("works through the line: whoever is done with makes room for the next", async () => {
    const queues = createTestQueues({ concert: { max_active: 1 } });
    const client = queues.client();
    for (const subject of ["ann", "bob", "cid"]) await client.issue("concert", { subject });
    const served: (string | undefined)[] = [];
    void (async () => {
      for await (const { subject, complete } of client.admissions("concert")) {
        served.push(subject);
        await complete();
      }
    })();
    await queues.advance(1_000);
    expect(served).toEqual(["ann", "bob", "cid"]);
    expect(await client.queue("concert")).toMatchObject({ waiting: 0, nowServing: 3 });
  });

  it("is told what an operator changes", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const { seen } = watched(await line(queues.client(), 3));
    await queues.advance(0);
    queues.configure("concert", { notice: "Doors at 8", mode: "paused" });
    await queues.advance(10_000);
    expect(seen.map(({ notice, position }) => [notice, position])).toEqual([
      [undefined, 2],
      ["Doors at 8", 2],
    ]);
    queues.configure("concert", { mode: "auto" });
    await queues.advance(10_000);
    expect(seen.at(-1)).toMatchObject({ state: "admitted", notice: "Doors at 8" });
  });

  it("holds passes that a guard of these queues takes, and no other", async () => {
    const queues = createTestQueues({ concert: { rate_per_second: 1, services: ["shop"] } });
    const { status } = await queues.client().issue("concert");
    const passes = { "usher-pass": status.pass ?? "" };
    const guarded = async (jwks: typeof queues.jwks) => {
      const guard = createGuard({ jwks, queue: "concert", audience: "shop" });
      const request = new Request("http://shop.test/", { headers: passes });
      return (await guard.fetch(() => new Response("in"))(request)).status;
    };
    expect(await guarded(queues.jwks)).toBe(200);
    expect(await guarded(createTestQueues(ONE_A_SECOND).jwks)).toBe(403);
  });
});

describe("a failure", () => {
  it("is met by the next call, and mended when its pause has passed", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    queues.fail();
    const issuing = queues.client().issue("concert");
    let isIssued = false;
    void issuing.then(() => {
      isIssued = true;
    });
    await queues.advance(0);
    expect(isIssued).toBe(false);
    await queues.advance(ANY_PAUSE_MS);
    expect(await issuing).toMatchObject({ number: 1, existing: false });
  });

  it("that loses the answer alone costs no second ticket", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const client = queues.client();
    queues.fail({ call: "issue", carriedOut: true });
    const issuing = client.issue("concert");
    await queues.advance(ANY_PAUSE_MS);
    expect(await issuing).toMatchObject({ number: 1, existing: true });
    expect(await client.queue("concert")).toMatchObject({ lastNumber: 1 });
  });

  it("that stays is told, with what the server said", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const mend = queues.fail({ call: "admit", code: "overloaded", retryAfter: 60_000, times: Infinity });
    const client = queues.client({ attempts: 3 });
    const admitting = client.admit("concert").catch((error: unknown) => error);
    let isTold = false;
    void admitting.then(() => {
      isTold = true;
    });
    await queues.advance(119_000);
    expect(isTold).toBe(false);
    await queues.advance(2 * ANY_PAUSE_MS);
    expect(await admitting).toMatchObject({ code: "overloaded", retryAfter: 60_000, outcome: "refused" });
    expect(await client.issue("concert")).toMatchObject({ number: 1 });
    mend();
    expect(await client.admit("concert")).toMatchObject({ admitted: 0 });
  });

  it("is met as often as it was said, one after the other", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    queues.fail({ call: "getQueue", code: "not_ready", times: 2 });
    queues.fail({ call: "getQueue", code: "internal" });
    const client = queues.client({ attempts: 1 });
    const asked = [];
    for (let at = 0; at < 4; at++) asked.push(await client.queue("concert").then(({ name }) => name, codeOf));
    expect(asked).toEqual(["not_ready", "not_ready", "internal", "concert"]);
  });
});

describe("a stream that is cut", () => {
  it("is opened anew when its pause has passed, and the watch misses nothing", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const client = queues.client();
    const ticket = await line(client, 3);
    const { seen, mended } = watched(ticket);
    await queues.advance(0);
    queues.disconnect();
    await client.admit("concert", { ticket: ticket.id });
    await queues.advance(0);
    expect(seen.map(({ state }) => state)).toEqual(["waiting"]);
    await queues.advance(ANY_PAUSE_MS);
    expect(seen.map(({ state }) => state)).toEqual(["waiting", "admitted"]);
    expect(mended).toEqual(["unreachable"]);
  });

  it("loses no admission", async () => {
    const queues = createTestQueues({ concert: { max_active: 10 } });
    const client = queues.client();
    const served: number[] = [];
    void (async () => {
      for await (const { ticket } of client.admissions("concert")) served.push(ticket.number);
    })();
    await line(client, 2);
    await queues.advance(0);
    queues.disconnect();
    await line(client, 2);
    await queues.advance(ANY_PAUSE_MS);
    expect(served).toEqual([1, 2, 3, 4]);
  });

  it("again and again, leaves the watch to ask at the server's pace", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    queues.fail({ call: "watchPosition", code: "unexpected_answer", times: Infinity });
    const ticket = await line(queues.client(), 30);
    const { seen, mended } = watched(ticket);
    await queues.advance(120_000);
    expect(mended).toEqual(["unexpected_answer", "unexpected_answer", "unexpected_answer"]);
    expect(seen.at(-1)).toMatchObject({ state: "admitted" });
  });
});

describe("what makes no sense", () => {
  it.each([
    ["no limit at all", {}],
    ["a rate below nothing", { rate_per_second: -1 }],
    ["no room", { max_active: 0 }],
  ])("is said at once: %s", (_, settings) => {
    expect(() => createTestQueues({ concert: settings })).toThrow(/the queue "concert" cannot be set so/);
  });

  it("is refused where a queue is changed, which stays as it was", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    expect(() => queues.configure("concert", { kind: "defer" })).toThrow(/of kind pass, and stays so/);
    expect(() => queues.configure("concert", { session_ms: 1 })).toThrow(/session_ms/);
    expect(await queues.client().queue("concert")).toMatchObject({ kind: "pass", mode: "auto" });
  });
});
