// Whole bursts: real processes and sockets, the shop, the crowd, and a waiting room between them, right or wrong.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BurstSettings, runBurst } from "../src/burst/burst.ts";
import { judge } from "../src/burst/checker/judge.ts";
import type { Limit } from "../src/burst/checker.ts";
import type { CrowdProgress } from "../src/burst/crowd.ts";
import { demonstrate } from "../src/burst/demo.ts";
import { shopItself } from "../src/burst/target.ts";
import { FakeUsher, type Fault } from "./fake-usher.ts";

// Slow enough that most have to wait, and that many still do when half of the answers have been collected, even where
// the crowd comes late because the machine is busy.
const limit: Limit = { rate_per_second: 60, max_active: 12 };
const shop = { workers: limit.max_active, work_ms: 150, idempotent: false };
const buyers = 200;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "box-office-"));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function settings(name: string, change: Partial<BurstSettings> = {}): BurstSettings {
  return {
    buyers,
    seed: 7,
    window_ms: 250,
    deadline_ms: 30_000,
    directory: join(directory, name),
    limit,
    retry: false,
    fate: undefined,
    shop,
    ...change,
  };
}

function room(fault: Fault = "none", idempotent = false) {
  return ([shopUrl = ""]: readonly string[]) => new FakeUsher({ shopUrl, limit, fault, idempotent });
}

const quiet = (): void => {};
const terms = { limit, killed: false, idempotent: false };
const promisesOf = (breaches: readonly { promise: string }[]): string[] =>
  breaches.map(({ promise }) => promise);

// Side by side: they wait more than they work.
describe.concurrent("a burst", () => {
  test("that comes directly leaves files that add up, and many in flight at once", async () => {
    const heard: CrowdProgress[] = [];
    const { report } = await runBurst(settings("direct"), shopItself, (progress) => heard.push(progress));
    expect(report.findings.first).toEqual([]);
    expect(report).toMatchObject({
      buyers,
      arrivals: buyers,
      lost: 0,
      unknown: 0,
      answeredTwice: 0,
      tickets: 0,
    });
    expect(report.answered + report.failed).toBe(buyers);
    expect(report.seatsSold).toBe(report.answered);
    expect(report.mostInFlight).toBeGreaterThan(limit.max_active);
    expect(heard.at(-1)).toMatchObject({ buyers, come: buyers, answered: report.answered });
  });

  test("through a waiting room that is right keeps every promise", async () => {
    const { report } = await runBurst(settings("right"), room(), quiet);
    expect(report.findings.first).toEqual([]);
    expect(judge(report, terms)).toEqual([]);
    expect(report).toMatchObject({ answered: buyers, seatsSold: buyers, renumbered: 0 });
    expect(report.tickets).toBeGreaterThan(buyers / 4);
  });
});

describe.concurrent("a burst through a waiting room that is wrong", () => {
  test("that serves the last first breaks the promise of order", async () => {
    const { report } = await runBurst(settings("last"), room("last_first"), quiet);
    expect(report.findings.first).toEqual([]);
    expect(promisesOf(judge(report, terms))).toEqual(["nobody comes out of turn"]);
  });

  test("that sends some requests twice breaks the promise of once", async () => {
    const { report } = await runBurst(settings("twice", { buyers: 120 }), room("twice"), quiet);
    expect(promisesOf(judge(report, terms))).toContain("nobody is answered twice");
    expect(report.answered).toBe(120);
    expect(report.seatsSold).toBe(120 + report.answeredTwice);
  });

  test("in that it has no limit breaks the promise of the limit", async () => {
    const { report } = await runBurst(
      settings("wild", { shop: { ...shop, work_ms: 600 } }),
      room("no_limit"),
      quiet,
    );
    expect(promisesOf(judge(report, terms))).toContain("in flight at the shop: no more than max_active");
  });
});

describe.concurrent("a burst whose waiting room is killed halfway", () => {
  const killed = { retry: true, fate: "strike" } as const;

  test("ends with everybody answered, or told that it is unknown", async () => {
    const { report } = await runBurst(settings("killed", killed), room(), quiet);
    expect(report.findings.first).toEqual([]);
    expect(judge(report, { ...terms, killed: true })).toEqual([]);
    // What was at the shop when the room died. (Whether a connection broke depends on who was just asking.)
    expect(report.unknown).toBeGreaterThan(0);
  });

  test("ends with everybody answered once where the shop honours the key", async () => {
    const idempotent = settings("idempotent", { ...killed, shop: { ...shop, idempotent: true } });
    const { report } = await runBurst(idempotent, room("none", true), quiet);
    expect(report.findings.first).toEqual([]);
    expect(judge(report, { limit, killed: true, idempotent: true })).toEqual([]);
    expect(report).toMatchObject({ answered: buyers, unknown: 0, seatsSold: buyers });
    expect(report.arrivals).toBeGreaterThan(buyers);
  });

  test("breaks its promises when the room has forgotten its tickets", async () => {
    const { report } = await runBurst(settings("forgetful", killed), room("forgets"), quiet);
    expect(promisesOf(judge(report, { ...terms, killed: true }))).toContain("nothing fails");
  });
});

describe.concurrent("a demonstration", () => {
  test("through a room that is wrong names the promise, and does not pass", async () => {
    const out = join(directory, "demo");
    const said: string[] = [];
    const screen = { write: (text: string) => said.push(text) };
    const result = await demonstrate({ buyers: 120, seed: 1, out }, terms, room("twice"), screen);
    expect(result.kept).toBe(false);
    expect(promisesOf(result.breaches)).toContain("nobody is answered twice");
    expect(said.join("")).toContain("BROKEN: nobody is answered twice");
    expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8"))).toEqual(result);
    expect(readFileSync(result.picture, "utf8")).toContain("120 buyers come at once");
  });

  test("through the real Usher keeps every promise", async () => {
    const program = join(import.meta.dirname, "../src/burst/main.ts");
    const out = join(directory, "real");
    const options = [program, "--buyers", "250", "--json", "--out", out];
    const [error, result, said] = await new Promise<[Error | null, string, string]>((resolve) =>
      execFile(process.execPath, options, (...ended) => resolve(ended)),
    );
    expect(said).toContain("Through Usher, every promise was kept.");
    expect(error).toBeNull();
    expect(JSON.parse(result)).toMatchObject({ kept: true, usher: { answered: 250, inversions: 0 } });
  });
});

test("a burst whose target does not start says why, and leaves no process behind", async () => {
  const broken = () => ({ start: () => Promise.reject(new Error("no room today")) });
  await expect(runBurst(settings("none"), broken, quiet)).rejects.toThrow("no room today");
  const lines = readFileSync(join(directory, "none", "shop.ndjson"), "utf8")
    .trim()
    .split("\n");
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ kind: "end" });
  expect(existsSync(join(directory, "none", "buyers.ndjson"))).toBe(false);
});
