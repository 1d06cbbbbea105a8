// A stranger with grpcurl and no proto files: finds the native listener's services, reads what they do, and calls each
// of their methods on the real program.

import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GO_WAIT_MS, goProgram } from "../support/go.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const QUEUE = "usher.queue.v1.QueueService";
const ADMIN = "usher.admin.v1.AdminService";

let program: string;
let usher: Usher;

beforeAll(async () => {
  program = await goProgram("grpcurl");
  usher = await startUsher({
    config: "queues: { line: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, session: 1h } }",
  });
}, GO_WAIT_MS);

afterAll(() => usher?.stop());

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs grpcurl; with `until`, no longer than until it has written that. */
function grpcurl(words: readonly string[], options: { key?: boolean; until?: RegExp } = {}): Promise<Said> {
  const headers = options.key === false ? [] : ["-H", `usher-api-key: ${usher.apiKey}`];
  const child = spawn(program, ["-plaintext", ...headers, ...words]);
  let [out, err] = ["", ""];
  child.stdout.on("data", (text: Buffer) => {
    out += text.toString();
    if (options.until?.test(out)) {
      child.kill();
    }
  });
  child.stderr.on("data", (text: Buffer) => {
    err += text.toString();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

/** A call that is answered. */
async function call(method: string, request: object, until?: RegExp): Promise<string> {
  const said = await grpcurl(["-d", JSON.stringify(request), usher.nativeAddress, method], { until });
  expect(said.err).toBe("");
  return said.out;
}

interface Ticket {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly position?: number;
}

async function issue(): Promise<{ token: string; ticket: Ticket }> {
  const { token, status } = JSON.parse(await call(`${QUEUE}/Issue`, { queue: "line" }));
  return { token, ticket: status.ticket };
}

describe("grpcurl, with no proto files", () => {
  it("lists and describes without a key", async () => {
    const listed = await grpcurl([usher.nativeAddress, "list"], { key: false });
    expect(listed.out.trim().split("\n")).toEqual(["grpc.health.v1.Health", ADMIN, QUEUE]);
    for (const symbol of [QUEUE, ADMIN, `${QUEUE}.Issue`, "usher.queue.v1.IssueRequest"]) {
      const described = await grpcurl([usher.nativeAddress, "describe", symbol], { key: false });
      expect(described.out).toContain(`${symbol} is a `);
    }
  });

  it("asks for health without a key", async () => {
    const { out } = await grpcurl([usher.nativeAddress, "grpc.health.v1.Health/Check"], { key: false });
    expect(JSON.parse(out)).toEqual({ status: "SERVING" });
  });

  it("is refused without a key, and told why", async () => {
    for (const method of [`${QUEUE}/Issue`, `${QUEUE}/Complete`, `${ADMIN}/ListQueues`]) {
      const { code, err } = await grpcurl([usher.nativeAddress, method], { key: false });
      expect(code).not.toBe(0);
      expect(err).toContain("Code: Unauthenticated");
      expect(err).toContain('"reason": "API_KEY_REQUIRED"');
    }
  });

  it("calls every method of both services, streams included", async () => {
    const [a, b, c] = [await issue(), await issue(), await issue()];
    expect([a, b, c].map(({ ticket }) => ticket.position)).toEqual([0, 1, 2]);

    expect(await call(`${QUEUE}/GetTicket`, { token: c.token })).toContain('"position": 2');
    expect(JSON.parse(await call(`${QUEUE}/GetQueue`, { queue: "line" })).queue).toMatchObject({
      waiting: 2,
      nowServing: 1,
      lastNumber: 3,
    });

    const watching = call(`${QUEUE}/WatchPosition`, { token: c.token });
    expect(await call(`${QUEUE}/Leave`, { token: b.token })).toContain("TICKET_STATE_LEFT");

    const admissions = `${QUEUE}/WatchAdmissions`;
    expect(await call(admissions, { queue: "line" }, /"cursor": "1"/)).toContain(a.ticket.id);
    const completed = await call(`${QUEUE}/Complete`, { ticketId: a.ticket.id });
    expect(completed).toContain("TICKET_STATE_COMPLETED");
    expect(await call(admissions, { queue: "line", cursor: 1 }, /"cursor": "2"/)).toContain(c.ticket.id);

    const admitted = await call(`${QUEUE}/Admit`, { queue: "line", count: 1, requestId: "r1" });
    expect(JSON.parse(admitted)).toEqual({});
    await call(`${QUEUE}/Complete`, { ticketId: c.ticket.id });
    expect(await watching).toContain("TICKET_STATE_COMPLETED");

    const { queues } = JSON.parse(await call(`${ADMIN}/ListQueues`, {}));
    expect(queues).toHaveLength(1);
    const { queue } = JSON.parse(await call(`${ADMIN}/GetQueue`, { queue: "line" }));
    expect(queue).toEqual(queues[0]);
    // Not `"limit.maxActive"`, as protobuf's JSON has it: grpcurl takes masks for ordinary messages.
    const updateMask = { paths: ["limit.max_active"] };
    const change = { queue: "line", settings: { limit: { maxActive: 2 } }, updateMask };
    const updated = await call(`${ADMIN}/UpdateQueue`, { ...change, etag: queue.etag, reason: "more tills" });
    expect(JSON.parse(updated).queue).toMatchObject({ revision: 2, settings: { limit: { maxActive: 2 } } });

    const { node } = JSON.parse(await call(`${ADMIN}/GetNode`, {}));
    expect(node).toMatchObject({ name: "embedded", ready: true, log: { state: "LOG_STATE_CURRENT" } });
    expect(await call(`${ADMIN}/ReadLog`, { last: 3 })).toContain('"value": ');
    const { digest } = JSON.parse(await call(`${ADMIN}/GetState`, { queue: "line" }));
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const retry = JSON.stringify({ ticketId: c.ticket.id, reason: "a test" });
    const refused = await grpcurl(["-d", retry, usher.nativeAddress, `${ADMIN}/RetryRequest`]);
    expect(refused.err).toContain('"reason": "NOT_FAILED"');
  });
});
