import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EpochClock } from "../src/clock.ts";
import { LineFile } from "../src/line-file.ts";
import type { StartLine } from "../src/lines.ts";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "box-office-lines-"));
  path = join(directory, "lines.ndjson");
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const line = (at_ms: number) => ({ kind: "start", at_ms, options: {} }) as const;

function numbers(): number[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((text) => JSON.parse(text).line);
}

test("lines are numbered, and there after the turn that they were written in", async () => {
  const file = new LineFile<StartLine>(path);
  file.write(line(1));
  file.write(line(2));
  await turn();
  expect(numbers()).toEqual([1, 2]);
  file.close(3);
  expect(numbers()).toEqual([1, 2, 3]);
  expect(() => file.write(line(4))).toThrow("closed");
});

test("a file is begun anew", () => {
  writeFileSync(path, "what was there before\n");
  const file = new LineFile<StartLine>(path);
  file.close(1);
  expect(numbers()).toEqual([1]);
});

test("more than is gathered at once is written in order, none lost", () => {
  const file = new LineFile<StartLine>(path);
  for (let at_ms = 1; at_ms <= 5_000; at_ms++) file.write(line(at_ms));
  file.close(5_001);
  expect(numbers()).toEqual(Array.from({ length: 5_001 }, (_, index) => index + 1));
});

test("a full file takes no more, and its end says how many it did not take", () => {
  const file = new LineFile<StartLine>(path, 150);
  for (let at_ms = 1; at_ms <= 10; at_ms++) file.write(line(at_ms));
  file.close(11);
  const last = readFileSync(path, "utf8").trim().split("\n").at(-1)!;
  expect(numbers()).toEqual([1, 2, 3, 4]);
  expect(JSON.parse(last)).toEqual({ line: 4, kind: "end", at_ms: 11, dropped: 7 });
});

test("a process that ends by itself leaves all its lines, one that is killed all of its earlier turns", async () => {
  const module = JSON.stringify(join(import.meta.dirname, "../src/line-file.ts"));
  const program = join(directory, "program.ts");
  writeFileSync(
    program,
    `import { LineFile } from ${module};
    const file = new LineFile(process.argv[2]);
    for (let i = 0; i < 100; i++) file.write({ kind: "start", at_ms: i, options: {} });
    if (process.argv[3] === "exit") process.exit(0);
    setImmediate(() => setImmediate(() => process.kill(process.pid, "SIGKILL")));
    `,
  );
  for (const end of ["exit", "kill"]) {
    const child = fork(program, [path, end], { execArgv: [] });
    await once(child, "exit");
    expect(numbers()).toHaveLength(100);
  }
});

test("a clock never tells one time twice, and tells times of its own machine", () => {
  const clock = new EpochClock();
  const times = Array.from({ length: 10_000 }, () => clock.now());
  expect(times.every((time, index) => index === 0 || time > times[index - 1]!)).toBe(true);
  expect(Math.abs(times[0]! - Date.now())).toBeLessThan(60_000);
});
