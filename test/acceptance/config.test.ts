// A configuration with mistakes, served by the real program: all of them told, and nothing begun.

import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runUsher } from "../support/usher.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-mistakes-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** Serves the file and returns what the program said on its way out. */
async function refused(config: string | Buffer): Promise<string[]> {
  await writeFile(join(directory, "usher.yaml"), config);
  const { code, stdout, stderr } = await runUsher(
    ["serve", "--port", "0", "--grpc-port", "0", "--metrics-port", "0"],
    {
      cwd: directory,
    },
  );
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).not.toMatch(/^\s+at /m);
  await expect(access(join(directory, "data"))).rejects.toThrow("ENOENT");
  return stderr.trimEnd().split("\n");
}

test("a configuration with ten mistakes: all ten are named, with their paths and lines", async () => {
  const [head, ...mistakes] = await refused(`public_url: tickets.example.com
trusted_proxies: [10.0.0.0/33]
log: kafka:broker1:9092
services:
  shop: { url: localhost:3000 }
queues:
  orders:
    kind: defer
    limit: { rate_per_second: -3, max_activ: 50 }
    max_wait: forever
routes:
  - match: POST orders
    service: shop
    queue: order
    timeout: 30
`);
  expect(head).toBe("usher: usher.yaml: 10 mistakes");
  expect(mistakes.map((line) => line.trim().replace(/\): .*/, ")"))).toEqual([
    "public_url (line 1)",
    "trusted_proxies[0] (line 2)",
    "log (line 3)",
    "services.shop.url (line 5)",
    "queues.orders.limit.rate_per_second (line 9)",
    "queues.orders.limit.max_activ (line 9)",
    "queues.orders.max_wait (line 10)",
    "routes[0].match (line 12)",
    "routes[0].queue (line 14)",
    "routes[0].timeout (line 15)",
  ]);
  for (const line of mistakes) expect(line).toMatch(/; (give|known are|there are) /);
});

test.each<[string, string | Buffer, RegExp]>([
  ["an empty file", "", /^usher: usher\.yaml: is empty/],
  ["no YAML", "queues: [", /^usher: usher\.yaml \(line 1\): /],
  [
    "a name that stands twice",
    "queues: {}\nqueues: {}",
    /^usher: usher\.yaml \(line 2\): the same name stands twice/,
  ],
  ["anchors that multiply", bomb(), /^usher: usher\.yaml \(line \d+\): repeats its anchors/],
  ["brackets without end", "[".repeat(200_000), /^usher: usher\.yaml: /],
  ["no text", Buffer.of(0xc3, 0x28, 0xff), /^usher: usher\.yaml: is not UTF-8 text/],
])("%s is refused in one line", async (_, config, line) => {
  const lines = await refused(config);
  expect(lines.join("\n")).toMatch(line);
  expect(lines.filter((text) => text.startsWith("usher: "))).toHaveLength(1);
});

function bomb(): string {
  const names = "abcdefghij".split("");
  const line = (name: string, at: number) =>
    at === 0
      ? "a: &a [x]"
      : `${name}: &${name} [${Array(9)
          .fill(`*${names[at - 1]}`)
          .join(", ")}]`;
  return names.map(line).join("\n");
}

test("a file that is not there, and a directory in its place, are refused in one line", async () => {
  const missing = await runUsher(["serve"], { cwd: directory });
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(/^usher: usher\.yaml: there is no such file; .*--config.*\n$/);
  await mkdir(join(directory, "usher.yaml"));
  const folder = await runUsher(["serve"], { cwd: directory });
  expect(folder.code).toBe(1);
  expect(folder.stderr).toMatch(/^usher: usher\.yaml: is a directory.*\n$/);
});

test.each([
  [["serve", "--to", "http://localhost:3000"], /--max-active .* --rate/],
  [["serve", "--to", "localhost:3000", "--max-active", "1"], /--to <url>.*is not an http or https address/],
  [["serve", "--to", "http://localhost:3000", "--max-active", "0"], /--max-active <n>.*0 is too small/],
  [
    ["serve", "--to", "http://localhost:3000", "--rate", "fast"],
    /--rate <n>.*"fast" is a string; give a number/,
  ],
  [
    ["serve", "--to", "http://localhost:3000", "--max-active", "1", "--hold", "2"],
    /--hold <duration>.*"2" is not a duration/,
  ],
  [
    ["serve", "--demo", "--host", "0.0.0.0", "--to", "http://localhost:3000", "--max-active", "1"],
    /--demo .*this machine only/,
  ],
  [["serve", "--prot", "1"], /unknown option '--prot'/],
  [["sevre"], /unknown command 'sevre'/],
  [["queue", "set", "q", "--reason", "r"], /nothing to change/],
  [["watch", "http://localhost:8080/elsewhere"], /this is not a ticket/],
])("called wrongly (%j), it says so and exits with 2", async (args, words) => {
  const { code, stdout, stderr } = await runUsher(args, { cwd: directory });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at /m);
});
