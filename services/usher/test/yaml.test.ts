// Files that are no YAML, or YAML that means something else than its writer thinks: refused by line, in words that say
// what to do, whatever the parser would have made of them.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../src/config/load.ts";
import { ConfigError } from "../src/config/mistake.ts";
import { loadQueues, parseQueues } from "../src/config/queues-file.ts";

const QUEUE = "kind: defer, limit: { max_active: 1 }, max_wait: 1m";
const ROUTED = `services: { s: { url: http://h } }
queues: { q: { ${QUEUE} } }
routes:
- { match: /*, service: s, queue: q }`;

const parse = (text: string) => parseConfig(text, { name: "usher.yaml", directory: "/etc/usher" });

function refusal(text: string, read: (text: string) => unknown = parse): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("nothing was found wrong");
}

/** With other words in place of some. */
function but(text: string, other: string): string {
  expect(ROUTED).toContain(text);
  return ROUTED.replace(text, other);
}

const merges = (source: string) => `x: &x 5\nqueues:\n  q:\n    <<: ${source}\n    attempts: 2`;
const NOT_MERGEABLE =
  "<< takes in what stands in maps, and this is none; give an alias of a map, or write it out";

test.each([
  [
    "a tab before a name",
    "queues:\n\tq: 1",
    "(line 2): a tab stands where YAML takes only spaces; indent with spaces",
  ],
  ["a tab among spaces", "queues:\n  q:\n  \tkind: defer", "(line 3): a tab stands where"],
  [
    "one queue twice, as a number and as text",
    `queues:\n  1: { ${QUEUE} }\n  "1": { ${QUEUE} }`,
    "(line 3): the same name stands twice; keep one of the two",
  ],
  [
    "one queue twice, in quotes",
    `queues:\n  q: { ${QUEUE} }\n  "q": { ${QUEUE} }`,
    "(line 3): the same name stands twice",
  ],
  [
    "a list for a name",
    `queues:\n  ? [a, b]\n  : { ${QUEUE} }`,
    "(line 2): a list or a map stands where a name belongs; give a name",
  ],
  ["a map for a name", `? { a: 1 }\n: 2`, "(line 1): a list or a map stands where a name belongs"],
  [
    "an anchor that repeats itself",
    "queues: &a\n  q: *a",
    "(line 2): *a stands within what it repeats; write out what is meant",
  ],
  [
    "methods that repeat themselves",
    but("match: /*", "match: { path: /, methods: &m [*m] }"),
    "(line 4): *m stands within what it repeats",
  ],
  ["a map that merges itself", "queues: &q\n  <<: *q", "(line 2): *q stands within what it repeats"],
  ["a merge of a number", merges("5"), `(line 4): ${NOT_MERGEABLE}`],
  ["a merge of an alias of a number", merges("*x"), `(line 4): ${NOT_MERGEABLE}`],
  ["a merge of a list of numbers", merges("[1]"), `(line 4): ${NOT_MERGEABLE}`],
  [
    "bytes in a tag",
    "node: !!binary aGk=",
    "(line 1): Unresolved tag: !!binary; write the value without a tag",
  ],
  ["a set", "queues: !!set { q }", "(line 1): Unresolved tag: !!set; write the value without a tag"],
  [
    "a bare star",
    but("match: /*", "match: *"),
    "(line 4): a bare * stands for nothing; put it into quotes, or give a path such as /*",
  ],
  [
    "a star first",
    but("match: /*", "match: */x"),
    "(line 4): */x: there is no anchor of that name; a value that begins with * is put into quotes",
  ],
  ["lists in lists without end", "- ".repeat(5_000), "(line 1): is nested deeper than any configuration"],
  [
    "maps in maps without end",
    `${"{a: ".repeat(5_000)}1${"}".repeat(5_000)}`,
    "(line 1): is nested deeper than any configuration",
  ],
])("told once, with its line: %s", (_, text, expected) => {
  const message = refusal(text);
  expect(message).toContain(`usher.yaml ${expected}`);
  expect(message).not.toContain("\n");
});

test("merges that multiply without end are refused where they end", () => {
  const names = [..."abcdefghij"];
  const lines = names.map((name, at) => {
    const before = Array(9).fill(`*${names[at - 1]}`);
    return at === 0 ? "a: &a { x: 1 }" : `${name}: &${name} { <<: [${before.join(", ")}] }`;
  });
  expect(refusal(lines.join("\n"))).toBe(
    "usher.yaml (line 10): repeats its anchors more than 100 times; write out what is meant",
  );
});

test("a file of queues alone is held to the same", () => {
  const read = (text: string) => parseQueues(text, "queues.yaml");
  expect(refusal("queues:\n\tq: 1", read)).toBe(
    "queues.yaml (line 2): a tab stands where YAML takes only spaces; indent with spaces",
  );
});

test("a file of queues that is not there is told in words of the command that wants it", async () => {
  const file = join(tmpdir(), "usher-no-such-folder", "queues.yaml");
  await expect(loadQueues(file)).rejects.toThrow(`${file}: there is no such file; name one with --file`);
});

test("what YAML lets one write, and means what it says, is taken", () => {
  const tabs = `nodes:\t1\n${ROUTED}`;
  const windows = `\ufeff${ROUTED.replaceAll("\n", "\r\n")}\r\n`;
  const json = JSON.stringify({ queues: { q: { kind: "defer", limit: { max_active: 1 }, max_wait: "1m" } } });
  const tagged = but("max_active: 1", "max_active: !!int '1'");
  const lists = but(`{ ${QUEUE} }`, `{ <<: [{ ${QUEUE} }, { attempts: 3 }] }`);
  for (const text of [tabs, windows, json, tagged, lists])
    expect(parse(text).queues).toMatchObject([
      { name: "q", settings: { max_active: 1, max_wait_ms: 60_000 } },
    ]);
  expect(parse(lists).queues[0]?.settings.attempts).toBe(3);
});

describe("numbers", () => {
  test.each([
    [
      "max_active: 1",
      "max_active: 1_000",
      `queues.q.limit.max_active (line 2): "1_000" is a string; give a whole number`,
    ],
    ["max_active: 1", "max_active: 1e400", "queues.q.limit.max_active (line 2): Infinity is too large"],
    ["max_active: 1", "max_active: 99999999999999999999", "100000000000000000000 is too large"],
    ["max_active: 1", "max_active: -0", "0 is too small"],
    ["max_active: 1", "max_active:", "queues.q.limit.max_active (line 2): is empty; give a whole number"],
    ["max_active: 1", "rate_per_second: 200/s", `"200/s" is a string; give a number from 0.001`],
    ["max_active: 1", "rate_per_second: 1e-9", "1e-9 is too small"],
    ["max_wait: 1m", "max_wait: 60", "queues.q.max_wait (line 2): 60 has no unit; give a duration"],
    ["max_wait: 1m", "max_wait: .nan", "queues.q.max_wait (line 2): NaN is no duration; give a duration"],
    ["max_wait: 1m", "max_wait: .inf", "Infinity is no duration"],
    ["max_wait: 1m", "max_wait: -1m", `"-1m" is not a duration`],
    ["max_wait: 1m", "max_wait: 1.5h", `"1.5h" is not a duration`],
    ["max_wait: 1m", "max_wait: 1M", `"1M" is not a duration`],
    ["max_wait: 1m", "max_wait: 999999999999999d", "is too long; give a duration from 1s to 30d"],
    [
      "queue: q }",
      "queue: q, body_bytes: 1MB }",
      `routes[0].body_bytes (line 4): "1MB" is not a size; give a size from 0B to 15MiB, as a number of bytes or with KiB, MiB or GiB`,
    ],
    ["queue: q }", "queue: q, body_bytes: -1 }", "-1 is too small; give a size from 0B to 15MiB"],
    ["queue: q }", "queue: q, response_bytes: 16MiB }", `"16MiB" is too large`],
    ["queue: q }", "queue: q, response_bytes: 1.5 }", "1.5 is not a size"],
  ])("in place of %s, %s is refused with its place, once", (text, other, expected) => {
    const message = refusal(but(text, other));
    expect(message).toContain(expected);
    expect(message).not.toContain("\n");
  });

  test("sizes may have units, in 1,024s", () => {
    const [route] = parse(but("queue: q }", "queue: q, body_bytes: 64KiB, response_bytes: 2MiB }")).routes;
    expect(route).toMatchObject({ body_bytes: 65_536, response_bytes: 2_097_152 });
  });

  test("nodes that are no number are no number, and nothing is divided among them", () => {
    expect(refusal(`nodes: .nan\n${ROUTED}`)).toBe(
      "usher.yaml: nodes (line 1): is not a number; give a whole number from 1 to 1000",
    );
  });
});

describe("two listeners on one port", () => {
  test.each([
    [
      "{ port: 9, grpc_port: 9 }",
      "listen.grpc_port (line 1): listen.grpc_port and listen.port are both 9; give each a port of its own",
    ],
    [
      "{ port: 9, metrics_port: 9 }",
      "listen.metrics_port (line 1): listen.metrics_port and listen.port are both 9",
    ],
    ["{ grpc_port: 8080 }", "listen.grpc_port and listen.port are both 8080"],
    ["{ port: 50051 }", "listen.grpc_port and listen.port are both 50051"],
  ])("are refused: %s", (listen, expected) => {
    expect(refusal(`listen: ${listen}\n${ROUTED}`)).toContain(expected);
  });

  test("are refused by flags as well, and any free ones are not", () => {
    const read = (overrides: object) => () => parseConfig(ROUTED, { name: "u", directory: "/", overrides });
    expect(read({ port: 7, grpc_port: 7 })).toThrow(
      /^u: listen\.grpc_port and listen\.port are both 7; give each/,
    );
    expect(read({ port: 0, grpc_port: 0, metrics_port: 0 })().listen).toMatchObject({
      port: 0,
      grpc_port: 0,
    });
    expect(read({ metrics_port: "off" })().listen.metrics_port).toBe("off");
  });
});
