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

describe("the configuration", () => {
  const yaml = readFileSync(join(source, "../usher.yaml"), "utf8");

  test("sets the limit that the shop can take", () => {
    expect(configuredLimit()).toEqual({ rate_per_second: 200, max_active: 40 });
    expect(() => configuredLimit("queues: {}")).toThrow("sets no limit");
  });

  test("is given the shop's address, and is else as it stands", () => {
    const config = configFor({ shopUrl: "http://127.0.0.1:1234", idempotent: false });
    expect(config).toBe(yaml.replace("http://localhost:9000", "http://127.0.0.1:1234"));
    expect(config).not.toBe(yaml);
  });

  test("declares the purchases idempotent only when asked to", () => {
    const shopUrl = "http://localhost:9000";
    expect(configFor({ shopUrl, idempotent: false })).toContain("idempotent: false");
    expect(configFor({ shopUrl, idempotent: true })).toContain("idempotent: true");
  });
});
