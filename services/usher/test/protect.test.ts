// `usher serve`'s flags, and the file that they stand for.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SETTINGS_DEFAULTS } from "@usher/queue";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planOf, type ServeFlags } from "../src/cli/serve/flags.ts";
import { loadConfig, parseConfig } from "../src/config/load.ts";
import { protectionYaml } from "../src/config/protect.ts";
import { UsageError } from "../src/failure.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-flags-"));
});
afterAll(() => rm(directory, { recursive: true }));

const TO = "http://localhost:3000";

test("the file that flags stand for is short enough to be read", () => {
  expect(protectionYaml({ to: TO, max_active: 20 }, "/srv/shop")).toBe(`log: sqlite:./data
listen:
  host: localhost
  port: 8080
  grpc_port: 50051
services:
  app:
    url: http://localhost:3000
queues:
  default:
    kind: defer
    limit: { max_active: 20 }
    max_wait: 30m
routes:
  - match: /*
    service: app
    queue: default
    hold: 2s
    timeout: 30s
`);
});

test("flags protect every route by one queue, with sensible defaults", async () => {
  const { config } = await planOf({ to: TO, maxActive: 20, rate: 1_500 });
  expect(config.queues).toEqual([
    {
      name: "default",
      settings: {
        ...SETTINGS_DEFAULTS,
        kind: "defer",
        max_active: 20,
        rate_thousandths: 1_500,
        max_wait_ms: 1_800_000,
      },
      unsaid: ["mode", "notice"],
    },
  ]);
  expect(config.routes).toMatchObject([{ path: "/*", service: "app", queue: "default", idempotent: false }]);
});

test.each<[string, ServeFlags]>([
  ["the usual", { to: TO, maxActive: 20 }],
  [
    "all of them",
    {
      to: "https://app.example.com:8443",
      maxActive: 1,
      rate: 500,
      hold: 0,
      timeout: 90_500,
      data: "tickets",
      keys: "k.json",
      host: "127.0.0.1",
      port: 0,
      grpcPort: 1,
      drainDelay: 1_500,
      grace: 30_000,
    },
  ],
  [
    "paths that YAML could read as something else",
    { to: TO, rate: 1_000, data: "my data: #1", keys: "/abs/'k' \"q\".json" },
  ],
  ["an address in brackets", { to: "http://[::1]:3000", maxActive: 1, host: "::1" }],
])("the printed file, saved and loaded, is the same configuration: %s", async (_, flags) => {
  const { config, yaml } = await planOf(flags);
  // Where it was printed is where it is to be saved: paths in it count from there.
  expect(parseConfig(yaml!, { name: "usher.yaml", directory: process.cwd() })).toEqual(config);
  const file = join(directory, "usher.yaml");
  await writeFile(file, yaml!);
  expect((await loadConfig(file)).queues).toEqual(config.queues);
});

test("flags say how a node is stopped, and the file that they stand for says so, too", async () => {
  const { config } = await planOf({ to: TO, maxActive: 1, drainDelay: 3_000, grace: 0 });
  expect(config.drain).toEqual({ delay_ms: 3_000, grace_ms: 0 });
});

test("with flags the command covers the limit alone, and all of it with --apply", async () => {
  expect((await planOf({ to: TO, maxActive: 1 })).command).toEqual(["rate_thousandths", "max_active"]);
  expect((await planOf({ to: TO, maxActive: 1, apply: true })).command).toBe("all");
});

test("with a file the command covers nothing, and all of it with --apply", async () => {
  const file = join(directory, "file.yaml");
  await writeFile(file, "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }");
  expect((await planOf({ config: file })).command).toEqual([]);
  expect((await planOf({ config: file, apply: true })).command).toBe("all");
});

test.each<[string, ServeFlags, RegExp]>([
  ["--to without a limit", { to: TO }, /--max-active .* --rate/],
  ["--to together with --config", { to: TO, maxActive: 1, config: "usher.yaml" }, /exclude each other/],
  ["--max-active with a file", { config: "usher.yaml", maxActive: 1 }, /--max-active goes with --to/],
  ["--rate with a file", { config: "usher.yaml", rate: 1 }, /--rate goes with --to/],
  ["--hold with a file", { config: "usher.yaml", hold: 0 }, /--hold goes with --to/],
  ["--timeout with a file", { config: "usher.yaml", timeout: 1_000 }, /--timeout goes with --to/],
  [
    "--demo on all addresses",
    { to: TO, maxActive: 1, demo: true, host: "0.0.0.0" },
    /this machine only, not on 0\.0\.0\.0/,
  ],
  [
    "--demo on a name that is not localhost",
    { to: TO, maxActive: 1, demo: true, host: "localhost.example.com" },
    /this machine only/,
  ],
])("refused: %s", async (_, flags, message) => {
  const planning = planOf(flags);
  await expect(planning).rejects.toThrow(UsageError);
  await expect(planning).rejects.toThrow(message);
});

test.each(["localhost", "127.0.0.1", "127.9.9.9", "::1"])("--demo may listen on %s", async (host) => {
  expect((await planOf({ to: TO, maxActive: 1, demo: true, host })).demo).toBe(true);
});

test("--demo refuses a file that listens to the world", async () => {
  const file = join(directory, "world.yaml");
  await writeFile(
    file,
    "listen: { host: 0.0.0.0 }\nqueues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }",
  );
  await expect(planOf({ config: file, demo: true })).rejects.toThrow(UsageError);
});
