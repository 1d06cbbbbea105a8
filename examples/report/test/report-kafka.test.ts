// The program, on a real Kafka, with records of real nodes; and kcat, as the README shows it.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { Program } from "../../../test/support/program.ts";
import { asShown, shownCommands } from "../../../test/support/readme.ts";
import { type Service, startService } from "../../../test/support/service.ts";
import { SharedLog } from "../../../test/support/shared-log.ts";
import { runUsher, type Usher } from "../../../test/support/usher.ts";
import { readTopic } from "../src/topic.ts";

const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let log: SharedLog;
let service: Service;
let nodes: Usher[];

beforeAll(async () => {
  log = await SharedLog.start();
  // As the request wishes; "never" is not answered in time.
  service = await startService((res, { body }) => {
    if (body === "never") return;
    res.statusCode = Number(body);
    res.end();
  });
  const config = `
services: { shop: { url: ${service.url} } }
queues:
  purchases: { kind: defer, mode: paused, limit: { max_active: 10 }, max_wait: 30m }
routes:
  - { match: POST /orders, service: shop, queue: purchases, hold: 0s, timeout: 1s }
`;
  nodes = await Promise.all(["a", "b"].map((name) => log.node(name, { config })));
});

afterAll(async () => {
  await log?.close();
  await service?.stop();
});

/** Where its ticket is, as a path. */
async function order(node: Usher, body: string): Promise<string> {
  const headers = { traceparent: TRACE };
  const answer = await fetch(`${node.gatewayUrl}/orders`, { method: "POST", body, headers });
  expect(answer.status).toBe(202);
  return answer.headers.get("location") ?? "";
}

function report(...options: string[]): Program {
  const program = new Program("examples/report/src/main.ts", [
    ...["--brokers", log.kafka.brokers.join(",")],
    ...options,
  ]);
  onTestFinished(() => program.stop().then(() => undefined));
  return program;
}

interface JsonRow {
  readonly queue: string;
  readonly answered: Readonly<Record<string, number>>;
  readonly [count: string]: unknown;
}

async function rows(): Promise<JsonRow[]> {
  const program = report("--json");
  expect(await program.ended).toEqual({ code: 0, signal: null });
  return program.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as JsonRow);
}

describe("a run of two nodes", () => {
  test("is told in full: tickets, waits, and how each ended", async () => {
    const [a, b] = nodes as [Usher, Usher];
    const wishes = ["200", "201", "409", "500", "never"];
    const tickets = await Promise.all(wishes.map((body, index) => order(index % 2 === 0 ? a : b, body)));
    const left = await order(b, "200");
    expect((await fetch(a.gatewayUrl + left, { method: "DELETE" })).status).toBe(200);
    const flags = ["--mode", "auto", "--reason", "go on", "--url", b.gatewayUrl, "--key", b.apiKey];
    expect(await runUsher(["queue", "set", "purchases", ...flags])).toMatchObject({ code: 0 });
    const ends = await eventually(async () => {
      const asked = tickets.map((ticket) => fetch(a.gatewayUrl + ticket, { redirect: "manual" }));
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect(statuses).not.toContain(200);
      return statuses;
    });
    expect(ends).toEqual([303, 303, 303, 303, 504]);

    const told = (await rows()).filter(({ queue }) => queue === "purchases");
    const sum = (part: (row: JsonRow) => unknown) =>
      told.reduce((all, row) => all + Number(part(row) ?? 0), 0);
    const counts = ["tickets", "claimed", "failed", "unknown", "left", "expired", "completed"];
    expect(Object.fromEntries(counts.map((name) => [name, sum((row) => row[name])]))).toEqual({
      ...{ tickets: 6, claimed: 5, failed: 0, unknown: 1, left: 1, expired: 0, completed: 0 },
    });
    const classes = ["2xx", "3xx", "4xx", "5xx"];
    expect(classes.map((name) => sum(({ answered }) => answered[name]))).toEqual([2, 0, 1, 1]);
    expect(told.some(({ wait_p50_ms }) => Number(wait_p50_ms) > 0)).toBe(true);
  });

  test("is followed: what comes later is heard, until it is stopped", async () => {
    const [a] = nodes as [Usher];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const heard: Uint8Array[] = [];
    const topic = { brokers: log.kafka.brokers, topic: "usher.queues", group: "usher-report-follow" };
    const following = readTopic({ ...topic, follow: true, signal: stop.signal }, (value) => {
      heard.push(value);
    });
    await eventually(() => expect(heard.length).toBeGreaterThan(10));
    const before = heard.length;
    await fetch(`${a.gatewayUrl}/orders`, { method: "POST", body: "200" });
    await eventually(() => expect(heard.length).toBeGreaterThan(before));
    stop.abort();
    await following;
  });

  test("looks in the terminal as the README shows it, and to kcat, too", async () => {
    const commands = shownCommands(readme);
    expect(commands).toHaveLength(2);
    for (const { command, output } of commands) {
      const here = command.replace("localhost:9092", log.kafka.brokers[0] ?? "");
      const cwd = join(import.meta.dirname, "..");
      const { stdout } = await promisify(execFile)("bash", ["-c", here], { cwd, timeout: 30_000 });
      if (!asShown(output, stdout)) expect(stdout, `$ ${here}`).toBe(output.join("\n"));
    }
  });

  test("shows kcat whose request each record was", async () => {
    const flags = ["-o", "beginning", "-e", "-X", "fetch.wait.max.ms=10", "-f", "%o %k %h\n"];
    const args = ["-q", "-b", log.kafka.brokers[0] ?? "", "-C", "-t", "usher.queues", ...flags];
    const { stdout } = await promisify(execFile)("kcat", args, { timeout: 30_000 });
    const traced = stdout.split("\n").filter((line) => line.includes(TRACE));
    expect(traced.length).toBeGreaterThanOrEqual(6);
    for (const line of traced) expect(line).toMatch(/^\d+ purchases traceparent=/);
  });
});

describe("the program", () => {
  test("tells its options when asked, and refuses others", async () => {
    const help = report("--help");
    expect(await help.ended).toMatchObject({ code: 0 });
    expect(help.stdout).toContain("--follow");
    const wrong = report("--nonsense");
    expect(await wrong.ended).toMatchObject({ code: 2 });
    expect(wrong.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("says so, in one line, where there is no such topic", async () => {
    const program = report("--topic", "no.such.topic");
    expect(await program.ended).toMatchObject({ code: 1 });
    expect(program.stderr.trim()).toMatch(/^report: .*no\.such\.topic/);
    expect(program.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("says so, in one line, where there is no Kafka", async () => {
    const program = new Program("examples/report/src/main.ts", ["--brokers", "127.0.0.1:1"]);
    expect(await program.ended).toMatchObject({ code: 1 });
    expect(program.stderr.trim().split("\n")).toHaveLength(1);
    expect(program.stderr).toContain("127.0.0.1:1");
  });
});
