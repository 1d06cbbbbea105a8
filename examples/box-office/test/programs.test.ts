// The programs as their users meet them: help, wrong options, and the configuration that Usher is given.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configFor, configuredLimit } from "../src/burst/usher-target.ts";

const source = join(import.meta.dirname, "../src");

function run(program: string, ...options: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(source, program), ...options], (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });
}

describe.each(["shop/main.ts", "burst/buyers.ts", "burst/main.ts"])("%s", (program) => {
  test("tells its options when asked", async () => {
    const { code, out } = await run(program, "--help");
    expect(code).toBe(0);
    expect(out).toContain("--seed");
  });

  test("refuses an option that it does not have, in one line", async () => {
    const { code, err } = await run(program, "--nonsense");
    expect(code).toBe(2);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toContain("--nonsense");
  });

  test("refuses a seed that is none, in one line", async () => {
    const { code, err } = await run(program, "--seed", "x");
    expect(code).toBe(2);
    expect(err).toMatch(/^[a-z ]+: --seed must be a whole number from 0 to 4294967295, not "x"\n$/);
  });
});

describe("page/main.ts", () => {
  test("tells its options when asked", async () => {
    const { code, out } = await run("page/main.ts", "--help");
    expect(code).toBe(0);
    expect(out).toContain("--buyers");
  });

  test.each([
    ["--nonsense", "x"],
    ["--gateway", "nowhere"],
    ["--native", "localhost:50051"],
    ["--buyers", "0"],
  ])("refuses %s %s, in one line", async (option, value) => {
    const { code, err } = await run("page/main.ts", option, value);
    expect(code).toBe(2);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toContain(option);
  });
});

describe("start.ts", () => {
  test("tells its options when asked, and starts nothing", async () => {
    const { code, out } = await run("start.ts", "--help");
    expect(code).toBe(0);
    expect(out).toContain("--ports-from");
  });

  test.each([
    ["--nonsense", "x"],
    ["--ports-from", "80"],
  ])("refuses %s %s, in one line", async (option, value) => {
    const { code, err } = await run("start.ts", option, value);
    expect(code).toBe(2);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toContain(option);
  });
});

describe("what goes with Kafka", () => {
  test("is refused without it, in one line", async () => {
    const { code, err } = await run("burst/main.ts", "--nodes", "2");
    expect(code).toBe(2);
    expect(err).toMatch(/^burst: --nodes and --brokers go with --kafka: .*\n$/);
  });

  test.each(["burst/main.ts", "start-kafka.ts"])("is a Kafka of one broker or three: %s", async (program) => {
    const kafka = program === "burst/main.ts" ? ["--kafka"] : [];
    const { code, err } = await run(program, ...kafka, "--brokers", "2");
    expect(code).toBe(2);
    expect(err).toMatch(/^[a-z]+: --brokers must be 1 or 3, not "2"\n$/);
  });

  test("is told by the program that starts it", async () => {
    const { code, out } = await run("start-kafka.ts", "--help");
    expect(code).toBe(0);
    expect(out).toContain("--ports-from");
  });
});

describe("the configuration", () => {
  const yaml = readFileSync(join(source, "../usher.yaml"), "utf8");

  test("sets the limit that the shop can take", () => {
    expect(configuredLimit()).toEqual({ rate_per_second: 200, max_active: 40 });
    expect(() => configuredLimit("queues: {}")).toThrow("sets no limit");
  });

  test("is given the shop's address, and is else as it stands", () => {
    const config = configFor({ shopUrl: "http://127.0.0.1:1234", idempotent: false });
    expect(config).toBe(yaml.replaceAll("http://localhost:9000", "http://127.0.0.1:1234"));
    expect(config).not.toBe(yaml);
  });

  test("declares the purchases idempotent only when asked to", () => {
    const shopUrl = "http://localhost:9000";
    expect(configFor({ shopUrl, idempotent: false })).toContain("idempotent: false");
    expect(configFor({ shopUrl, idempotent: true })).toContain("idempotent: true");
  });

  test("has the log and the share of a node where several have one, and is else as it stands", () => {
    const log = { brokers: ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"], nodes: 2 };
    const config = configFor({ shopUrl: "http://localhost:9000", idempotent: false, log });
    expect(config).toBe(
      `log: kafka://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3\nkafka: { replication: 3 }\nnodes: 2\n${yaml}`,
    );
  });
});
