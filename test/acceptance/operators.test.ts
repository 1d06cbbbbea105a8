// What operators see of the log and the nodes, and do about failed requests: the real program, its commands and metrics.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { openSqliteLog } from "@usher/ticket-log";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Answer, type Service, startService } from "../support/service.ts";
import { runUsher, startUsher, type Usher, usherProgram } from "../support/usher.ts";

let app: Service;
/** What the app does with every request. */
let answer: Answer;
let usher: Usher;
const running: { stop(): Promise<unknown> }[] = [];

const ok: Answer = (res) => {
  res.end("ok");
};
const busy: Answer = (res) => {
  res.statusCode = 503;
  res.end();
};

beforeEach(async () => {
  answer = ok;
  app = await startService((res, seen) => answer(res, seen));
  running.push(app);
  usher = await startUsher({ config: config() });
  running.push(usher);
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** One at a time, never straight through, and tried once. */
function config(): string {
  return `
services: { app: { url: ${app.url} } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 10m, attempts: 1 }
  line: { kind: pass, limit: { max_active: 1 }, max_wait: 10m }
routes: [{ match: /*, service: app, queue: orders, hold: 0s, timeout: 30s }]
`;
}

function at(node: Usher = usher): string[] {
  return ["--url", node.gatewayUrl, "--key", node.apiKey];
}

async function run(...args: string[]) {
  return runUsher([...args, ...at()]);
}

/** Sends an order, which takes a ticket; tells its id and where it is asked after. */
async function order(key?: string): Promise<{ id: string; location: string }> {
  const headers = key === undefined ? {} : { "idempotency-key": key };
  const init = { method: "POST", body: "an order", headers } as const;
  const taken = await fetch(`${usher.gatewayUrl}/orders`, init);
  expect(taken.status).toBe(202);
  const { ticket } = (await taken.json()) as { ticket: { id: string } };
  return { id: ticket.id, location: taken.headers.get("location")! };
}

/** Waits until the order's ticket answers with that: 303 once answered, 502 failed, 504 unknown. */
async function until(location: string, status: number): Promise<void> {
  await eventually(async () => {
    const asked = await fetch(new URL(location, usher.gatewayUrl), { redirect: "manual" });
    await asked.arrayBuffer();
    expect(asked.status).toBe(status);
  });
}

describe("usher log tail", () => {
  test("prints the last records, decoded, a line each", async () => {
    const { location } = await order();
    await until(location, 303);
    const { code, stdout, stderr } = await run("log", "tail", "--queue", "orders");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.split(/ +/)[5] ?? "")).toEqual([
      "queue_configured",
      "ticket_issued",
      "dispatch_claimed",
      "request_answered",
    ]);
    for (const line of lines) expect(line).toMatch(/^ +\d+ \d{4}-.*Z embedded +#\d+ +\w+ queue=orders /);
    expect(lines[3]).toMatch(/ number=1 attempt=1 status=200$/);
    const last = await run("log", "tail", "--queue", "orders", "-n", "2");
    expect(last.stdout.trimEnd().split("\n")).toEqual(lines.slice(-2));
  });

  test("prints JSON for programs, without the ticks if they are not wanted", async () => {
    const { stdout } = await run("log", "tail", "--no-ticks", "--json", "-n", "10000");
    const entries = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ event }) => event.kind)).toEqual(
      expect.arrayContaining(["genesis", "session_opened", "queue_configured", "term_opened"]),
    );
    expect(entries.map(({ event }) => event.kind)).not.toContain("tick");
    expect(entries[0]).toMatchObject({ offset: 0, kind: "record", key: "", node: "embedded", sequence: 1 });
  });

  test("shows entries that are no records as such, and why", async () => {
    await usher.kill("SIGTERM");
    const log = await openSqliteLog({ directory: usher.data });
    await log.openWriter().append({ key: "orders", value: Buffer.from("somebody's garbage") });
    await log.close();
    usher = await startUsher({ config: config(), data: usher.data });
    running.push(usher);
    const { stdout } = await run("log", "tail", "--queue", "orders", "-n", "1");
    expect(stdout).toMatch(/^ +\d+ - +- +- +BAD, passed over: .*\(18 bytes, key orders\)\n$/);
    const { stdout: top } = await run("top");
    expect(top).toMatch(/ ready \(1 entries were no records\)$/m);
  });

  test("follows what comes, also after the node was killed and came again, until Ctrl-C", async () => {
    const tail = usherProgram(["log", "tail", "-n", "0", "--follow", "--queue", "orders", ...at()]);
    running.push({ stop: () => tail.stop("SIGKILL") });
    // What is followed begins when the command has looked where the log ends: try until something is seen.
    await eventually(async () => {
      await order();
      expect(tail.stdout).toMatch(/ticket_issued/);
    });
    const { ports, data } = usher;
    await usher.kill();
    await tail.says(/again in/);
    usher = await startUsher({ config: config(), data, ports });
    running.push(usher);
    await order("a-key-that-comes-after-the-kill");
    await tail.says(/ticket_issued queue=orders key=[0-9a-f]{32}/);
    expect(await tail.stop("SIGINT")).toEqual({ code: 130, signal: null });
    const offsets = tail.stdout
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.trim().split(" ")[0]));
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  });

  test("ends when nobody reads it any more", async () => {
    const shell = `"$0" "$1" log tail --follow --url "$2" --key "$3" | head -n 1`;
    const main = join(import.meta.dirname, "../../services/usher/src/main.ts");
    const child = spawn("sh", ["-c", shell, process.execPath, main, usher.gatewayUrl, usher.apiKey]);
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await new Promise((resolve) => child.on("close", resolve));
    expect(out).toMatch(/^ +0 .* genesis id=[0-9a-f]{32}\n$/);
  });

  test("says in one line what is wrong: nobody there, no key, a queue's name that is none", async () => {
    const none = await runUsher(["log", "tail", "--url", usher.gatewayUrl]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toMatch(/^usher: http:.* needs an API key.*--key, --keys or USHER_API_KEY\.\n$/);
    const wrong = await run("log", "tail", "--queue", "NO");
    expect(wrong.code).toBe(2);
    await usher.kill();
    const nobody = await run("log", "tail", "--follow");
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toMatch(/^usher: cannot reach http:.*is usher serve running there\?.*\n$/);
  });
});

describe("usher ticket show", () => {
  test("tells a ticket's whole story, by its number or its id, for people and for programs", async () => {
    const key = "an-idempotency-key-of-the-test";
    const { id, location } = await order(key);
    await until(location, 303);
    const { code, stdout } = await run("ticket", "show", "1", "--queue", "orders");
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe(`ticket 1 in orders (${id}): answered`);
    expect(lines[1]).toMatch(/^waited \d+\.\d\d s for its turn, \d+\.\d\d s to be sent, \d+\.\d\d s in all/);
    expect(lines.slice(4).map((line) => line.replace(/^.* embedded +/, ""))).toEqual([
      "issued, with room at once, with a stored request, under an idempotency key",
      "admitted from place 1, by its own issue",
      "claimed for attempt 1, which may take 30.00 s",
      "the service answered attempt 1 with 200",
    ]);
    const json = await run("ticket", "show", id, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      ticket: { id, queue: "orders", number: 1, standing: "answered" },
      events: [{ what: "issued" }, { what: "admitted" }, { what: "claimed" }, { what: "answered" }],
    });
  });

  test("says what is wrong in one line", async () => {
    const { id } = await order();
    for (const [args, code, words] of [
      [["9", "--queue", "orders"], 1, /no ticket 9 in orders: its last is 1\n$/],
      [["9", "--queue", "line"], 1, /no ticket 9 in line: it has none yet\n$/],
      [["9", "--queue", "nowhere"], 1, /no queue "nowhere" in the log\n$/],
      [["9"], 2, /ticket 9 of which queue\? Give --queue\n$/],
      [["nine"], 2, /"nine" is no ticket: give its id/],
      [[id, "--queue", "line"], 2, /the ticket is of the queue orders, not of line/],
      [[id.replace(/:[0-9a-f]+:/, ":0000000000000000:")], 1, /the ticket is of another log/],
    ] as const) {
      const told = await run("ticket", "show", ...args);
      expect({ code: told.code, stdout: told.stdout }).toEqual({ code, stdout: "" });
      expect(told.stderr).toMatch(words);
      expect(told.stderr.trimEnd()).not.toContain("\n");
    }
  });
});

describe("usher request retry", () => {
  test("sends a failed request again, under the same key, and its story tells so", async () => {
    answer = busy;
    const { id, location } = await order("an-idempotency-key-of-the-test");
    await until(location, 502);
    answer = ok;
    const { code, stdout } = await run("request", "retry", id, "--reason", "the app is well again");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ticket 1 in orders: taken up again/);
    await until(location, 303);
    expect(app.seen.map(({ headers }) => headers["idempotency-key"])).toEqual(
      Array(2).fill("an-idempotency-key-of-the-test"),
    );
    const { stdout: story } = await run("ticket", "show", id);
    expect(
      story
        .trimEnd()
        .split("\n")
        .slice(-6)
        .map((line) => line.replace(/^.* embedded +/, "")),
    ).toEqual([
      "claimed for attempt 1, which may take 30.00 s",
      expect.stringMatching(/^attempt 1 gave it back: the service refused it with 429 or 503/),
      "failed: surely not carried out, and not tried again",
      'taken up again by an operator: "the app is well again"',
      "claimed for attempt 2, which may take 30.00 s",
      "the service answered attempt 2 with 200",
    ]);
  });

  test("is refused where the request may have been carried out, and says to ask the service", async () => {
    answer = (res) => {
      res.destroy();
    };
    const { id, location } = await order();
    await until(location, 504);
    const refused = await run("request", "retry", id, "--reason", "why not");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^usher: .*may have been carried out\. Ask the service.*\n$/);
    expect(app.seen).toHaveLength(1);
    const wrong = await run("request", "retry", "1", "--reason", "r");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/ticket 1 of which queue\? Give --queue/);
    const byNumber = await run("request", "retry", "1", "--queue", "orders", "--reason", "why not");
    expect(byNumber).toMatchObject({ code: 1, stderr: refused.stderr });
    expect((await run("request", "retry", id)).code).toBe(2);
  });
});

describe("usher queue replay", () => {
  test("finds a node's state equal to what its log says, also after the node was killed in the middle", async () => {
    for (const key of ["one", "two", "three"])
      await until((await order(`an-idempotency-key-${key}`)).location, 303);
    answer = busy;
    await until((await order()).location, 502);
    const first = await run("queue", "replay");
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(
      /^equal: \d+ records folded up to offset \d+ in \d+\.\d\d s \(0 without effect, 0 /,
    );
    expect(first.stdout).toMatch(/^orders +4 +0 +0 +4 +4 +[0-9a-f]{64}$/m);
    const { ports, data } = usher;
    await usher.kill();
    usher = await startUsher({ config: config(), data, ports });
    running.push(usher);
    await until((await order()).location, 502);
    const { code, stdout } = await run("queue", "replay", "--queue", "orders", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      equal: true,
      differences: [],
      queues: [{ name: "orders", last_number: 5, failed: 2, completed: 3 }],
    });
    const none = await run("queue", "replay", "--queue", "nowhere");
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toMatch(/^usher: .*no queue "nowhere"\.\n$/);
  });
});

describe("usher top", () => {
  test("shows the nodes side by side and the queues, once where it is no terminal", async () => {
    const other = await startUsher({ config: config() });
    running.push(other);
    await order();
    const { code, stdout } = await run("top");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^embedded keeps time, term 1 · T /);
    expect(stdout).toMatch(/^embedded +http:\S+ +1 \* +\d+ ms +\d+ +ready$/m);
    expect(stdout).toMatch(/^line +auto +0 /m);
    expect(stdout).toMatch(/^orders +queue_all +\d+ /m);
    expect(stdout).not.toContain("\x1b");
    await other.kill();
    const both = await run("top", "--url", other.gatewayUrl);
    expect(both.code).toBe(1);
    expect(both.stdout).toMatch(/away: it cannot be reached \(ECONNREFUSED\)$/m);
    expect(both.stdout).toMatch(/ready$/m);
    const json = await run("top", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      nodes: [{ name: "embedded", ready: true, timekeeper: { own: true } }],
      queues: [{ name: "line" }, { name: "orders", admissions: 1 }],
    });
  });
});

describe("the metrics", () => {
  test("tell who keeps time, the log's health, and the queues", async () => {
    const url = /metrics +(http:\S+)/.exec(usher.output())?.[1] ?? expect.fail("no metrics were announced");
    const { location } = await order();
    await until(location, 303);
    const text = await (await fetch(url)).text();
    for (const sample of [
      'usher_node_info{node="embedded",version="0.1.0"} 1',
      "usher_node_ready 1",
      "usher_timekeeper_own 1",
      "usher_timekeeper_term 1",
      'usher_log_state{state="current"} 1',
      'usher_log_records_total{outcome="skipped"} 0',
      'usher_queue_waiting{queue="orders"} 0',
      'usher_queue_admissions_total{queue="orders"} 1',
    ])
      expect(text.split("\n")).toContain(sample);
    expect(text).toMatch(/^usher_log_time_seconds \d/m);
    expect(text).toMatch(/^usher_log_lag_seconds 0/m);
  });
});
