import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SETTINGS_DEFAULTS } from "@usher/queue";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../src/config/config.ts";
import { loadConfig, type Overrides, parseConfig } from "../src/config/load.ts";
import { ConfigError } from "../src/config/mistake.ts";
import { FILE_BYTES_MAX } from "../src/config/source.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-config-"));
});
afterAll(() => rm(directory, { recursive: true }));

function parse(text: string, overrides?: Overrides): Config {
  return parseConfig(text, { name: "usher.yaml", directory: "/etc/usher", overrides });
}

/** What the file is told to be wrong with, line by line. */
function mistakes(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.problems.length === 1) return [error.message.replace(/^usher\.yaml: /, "")];
    const [head, ...lines] = error.message.split("\n");
    expect(head).toBe(`usher.yaml: ${lines.length} mistakes`);
    expect(lines.length).toBe(error.problems.length);
    return lines.map((line) => line.trim());
  }
  throw new Error("nothing was found wrong");
}

const WHOLE = `
public_url: https://tickets.example.com
trusted_proxies: [10.0.0.0/8, 192.168.1.7, fd00::/8]
log: sqlite:./tickets
keys: ./secret/keys.json
node: here-1
nodes: 1
listen: { host: 127.0.0.1, port: 80, grpc_port: 81, metrics_port: 82 }
services: { shop: { url: http://localhost:3000/ }, till: { url: "https://till.example.com:8443" } }
queues:
  orders:
    kind: defer
    mode: queue_all
    limit: { rate_per_second: 0.5, max_active: 50 }
    max_wait: 1h30m
    max_waiting: 1000
    session: 90s
    key_retention: 1d
    attempts: 3
    notice: Nearly there
  calls: { kind: pass, limit: { max_active: 7 }, max_wait: 500s }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 500ms, timeout: 1m, idempotent: true, body_bytes: 10, response_bytes: 20, max_wait: 10m, drop_headers: [X-Debug] }
  - { match: { methods: [GET, PUT], path: /checkout/*, headers: { X-Kind: a b, x-bot: false }, cookies: { Basket: true } }, service: till }
`;

test("a whole file is read into plain data, in the units of the log", () => {
  expect(parse(WHOLE)).toEqual({
    public_url: "https://tickets.example.com",
    trusted_proxies: ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8"],
    allowed_origins: [],
    drain: { delay_ms: 0, grace_ms: 10_000 },
    log: { kind: "sqlite", directory: "/etc/usher/tickets" },
    keys: "/etc/usher/secret/keys.json",
    node: "here-1",
    nodes: 1,
    listen: { host: "127.0.0.1", port: 80, grpc_port: 81, metrics_port: 82 },
    services: [
      { name: "shop", url: "http://localhost:3000" },
      { name: "till", url: "https://till.example.com:8443" },
    ],
    queues: [
      {
        name: "orders",
        settings: {
          kind: "defer",
          mode: "queue_all",
          rate_thousandths: 500,
          max_active: 50,
          max_wait_ms: 5_400_000,
          max_waiting: 1000,
          session_ms: 90_000,
          key_retention_ms: 86_400_000,
          attempts: 3,
          notice: "Nearly there",
        },
        unsaid: [],
      },
      {
        name: "calls",
        settings: { ...SETTINGS_DEFAULTS, kind: "pass", max_active: 7, max_wait_ms: 500_000 },
        unsaid: ["mode", "notice"],
      },
    ],
    routes: [
      {
        methods: ["POST"],
        path: "/orders",
        headers: [],
        cookies: [],
        service: "shop",
        queue: "orders",
        max_wait_ms: 600_000,
        hold_ms: 500,
        timeout_ms: 60_000,
        silence_ms: undefined,
        upgrade: false,
        idempotent: true,
        body_bytes: 10,
        response_bytes: 20,
        stored_headers: { without: ["x-debug"] },
      },
      {
        methods: ["GET", "PUT"],
        path: "/checkout/*",
        headers: [
          { name: "x-kind", value: "a b" },
          { name: "x-bot", value: false },
        ],
        cookies: [{ name: "Basket", value: true }],
        service: "till",
        queue: undefined,
        max_wait_ms: undefined,
        hold_ms: 2_000,
        timeout_ms: 30_000,
        silence_ms: undefined,
        upgrade: false,
        idempotent: false,
        body_bytes: 1_048_576,
        response_bytes: 1_048_576,
        stored_headers: undefined,
      },
    ],
  });
});

test("routes may overlap, as long as each is the first for something", () => {
  const matches = ["POST /a/b", "/a/*", "/ab", "GET /*", "POST /c", "/*"];
  const routes = matches.map((match) => `- { match: ${match}, service: s }`);
  const { routes: read } = parse(["services: { s: { url: http://h } }", "routes:", ...routes].join("\n"));
  expect(read).toHaveLength(matches.length);
});

test("routes of one path may differ in methods, headers and cookies", () => {
  const matches = [
    "{ path: /a, headers: { x-a: '1' } }",
    "{ path: /a, headers: { x-a: true } }",
    "{ path: /a, cookies: { x-a: true } }",
    "{ path: /a, methods: [GET, POST], headers: { x-b: false } }",
    "{ path: /a, methods: [POST] }",
    "GET /a",
    "/a",
  ];
  const routes = matches.map((match) => `- { match: ${match}, service: s }`);
  const text = (order: readonly string[]): string =>
    ["services: { s: { url: http://h } }", "routes:", ...order].join("\n");
  expect(parse(text(routes)).routes).toHaveLength(matches.length);
  // The other way round, all but the first would never be taken.
  const covered = mistakes(text(routes.toReversed()));
  expect(covered).toHaveLength(matches.length - 1);
  for (const line of covered) expect(line).toMatch(/is matched by routes\[0\] already, which comes first/);
});

test("what a file leaves out has its default", () => {
  const config = parse("queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }");
  expect(config).toMatchObject({
    public_url: undefined,
    trusted_proxies: [],
    log: { kind: "sqlite", directory: "/etc/usher/data" },
    keys: "/etc/usher/data/usher.keys.json",
    node: undefined,
    nodes: 1,
    listen: { host: "localhost", port: 8080, grpc_port: 50051, metrics_port: undefined },
    services: [],
    routes: [],
  });
});

test("flags take the place of what the file says", () => {
  const config = parse(WHOLE, {
    ...{ data: "/d", keys: "/k.json", node: "there", host: "::1", port: 0, grpc_port: 9 },
    metrics_port: "off",
  });
  expect(config.log).toEqual({ kind: "sqlite", directory: "/d" });
  expect(config.keys).toBe("/k.json");
  expect(config.node).toBe("there");
  expect(config.listen).toEqual({ host: "::1", port: 0, grpc_port: 9, metrics_port: "off" });
});

test("keys that the file does not name are beside the data that a flag names", () => {
  expect(
    parse("routes: []\nqueues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }", {
      data: "/d",
    }).keys,
  ).toBe("/d/usher.keys.json");
});

test("twelve mistakes in one file are all twelve told, each with its path, its line and what would do", () => {
  const text = `public_url: tickets.example.com
trusted_proxies: [10.0.0.0/40]
log: kafka:broker1:9092
services:
  shop: { url: localhost:3000 }
queues:
  orders:
    kind: defr
    limit: { rate_per_second: -3, max_activ: 50 }
    attempts: 2.5
routes:
  - match: post /orders
    service: shpo
    queue: orders
    hold: 2
`;
  expect(mistakes(text)).toEqual([
    'public_url (line 1): "tickets.example.com" is not an http or https address; give an address such as http://localhost:3000',
    'trusted_proxies[0] (line 2): "10.0.0.0/40" is no such block; give a block of addresses such as 10.0.0.0/8 or fd00::/8, or one address',
    'log (line 3): "kafka:broker1:9092" is no list of brokers; give kafka:// and brokers, such as kafka://broker1:9092,broker2:9092',
    'services.shop.url (line 5): "localhost:3000" is not an http or https address; give an address such as http://localhost:3000',
    "queues.orders.max_wait (line 7): is missing; give a duration from 1s to 30d, such as 30m, 2s or 500ms",
    'queues.orders.kind (line 8): "defr" is not known (did you mean "defer"?); give one of defer, pass',
    "queues.orders.limit.rate_per_second (line 9): -3 is too small; give a number from 0.001 to 1000000",
    'queues.orders.limit.max_activ (line 9): is not a field here (did you mean "max_active"?); known are rate_per_second, max_active',
    "queues.orders.attempts (line 10): 2.5 is not whole; give a whole number from 1 to 100",
    'routes[0].match (line 12): "post /orders" has no method in capital letters first; give a path such as /orders or /checkout/*, with a method before it if only one is meant',
    'routes[0].service (line 13): there is no service "shpo" (did you mean "shop"?); there are shop',
    "routes[0].hold (line 15): 2 has no unit; give a duration from 0s to 10m, such as 30m, 2s or 500ms",
  ]);
});

const QUEUE = "kind: defer, limit: { max_active: 1 }, max_wait: 1m";

test.each([
  [
    "an unknown field at the top",
    `servces: {}\nqueues: { q: { ${QUEUE} } }`,
    /servces \(line 1\): is not a field here \(did you mean "services"\?\)/,
  ],
  [
    "a queue without any limit",
    "queues: { q: { kind: defer, limit: {}, max_wait: 1m } }",
    /queues\.q\.limit \(line 1\): is empty; give rate_per_second/,
  ],
  [
    "a queue without the word limit",
    "queues: { q: { kind: defer, max_wait: 1m } }",
    /queues\.q\.limit \(line 1\): is missing; give a map of rate_per_second, max_active/,
  ],
  [
    "a limit that is a number",
    "queues: { q: { kind: defer, limit: 3, max_wait: 1m } }",
    /limit \(line 1\): 3 is a number; give a map/,
  ],
  [
    "a rate of zero",
    "queues: { q: { kind: defer, limit: { rate_per_second: 0 }, max_wait: 1m } }",
    /0 is too small; give a number from 0\.001/,
  ],
  [
    "a rate without end",
    "queues: { q: { kind: defer, limit: { rate_per_second: .inf }, max_wait: 1m } }",
    /Infinity is too large/,
  ],
  [
    "a rate that is no number",
    "queues: { q: { kind: defer, limit: { rate_per_second: .nan }, max_wait: 1m } }",
    /is not a number/,
  ],
  [
    "a rate finer than the log keeps",
    "queues: { q: { kind: defer, limit: { rate_per_second: 1.0005 }, max_wait: 1m } }",
    /finer than a thousandth/,
  ],
  [
    "a rate in quotes",
    'queues: { q: { kind: defer, limit: { rate_per_second: "5" }, max_wait: 1m } }',
    /"5" is a string; give a number/,
  ],
  [
    "a wait that is too long",
    "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 31d } }",
    /"31d" is too long; give a duration from 1s to 30d/,
  ],
  [
    "a notice of several lines",
    `queues: { q: { ${QUEUE}, notice: "Back\\nat ten." } }`,
    /notice \(line 1\): is not plain text on one line; give at most 500 characters/,
  ],
  [
    "a notice that commands a terminal",
    `queues: { q: { ${QUEUE}, notice: "\\e[2JGone." } }`,
    /notice \(line 1\): is not plain text on one line/,
  ],
  [
    "a wait that is no duration",
    "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: soon } }",
    /"soon" is not a duration/,
  ],
  [
    "a name with capitals",
    `queues: { Orders: { ${QUEUE} } }`,
    /queues\.Orders \(line 1\): "Orders" is not a name; give 1 to 64 of a-z 0-9 - _ \./,
  ],
  ["a name that is too long", `queues: { ${"q".repeat(65)}: { ${QUEUE} } }`, /is not a name/],
  [
    "the one name that JavaScript keeps",
    `queues: { __proto__: { ${QUEUE} } }`,
    /queues\.__proto__ \(line 1\): cannot be a name/,
  ],
  [
    "a badly named queue's settings as well",
    "queues: { Q: { kind: x } }",
    /queues\.Q\.kind \(line 1\): "x" is not known/,
  ],
  [
    "a dot in a name, in quotes in the path",
    "queues: { a.b: { kind: defer, limit: { max_active: 1 } } }",
    /queues\["a\.b"\]\.max_wait/,
  ],
  [
    "more than one node",
    `nodes: 3\nqueues: { q: { ${QUEUE} } }`,
    /nodes \(line 1\): 3 nodes cannot share the embedded log.*; give 1, or a Kafka log/,
  ],
  [
    "a route to no queue",
    "services: { s: { url: http://h } }\nroutes: [{ match: /, service: s, queue: q }]",
    /routes\[0\]\.queue \(line 2\): there is no queue "q"; there are no queues/,
  ],
  [
    "two routes of one match",
    "services: { s: { url: http://h } }\nroutes:\n- { match: GET /a, service: s }\n- { match: GET  /a, service: s }",
    /routes\[1\]\.match \(line 4\): "GET \/a" is matched by routes\[0\] already/,
  ],
  [
    "a route behind one that takes all of its requests",
    "services: { s: { url: http://h } }\nroutes:\n- { match: /*, service: s }\n- { match: POST /orders, service: s }",
    /routes\[1\]\.match \(line 4\): "POST \/orders" is matched by routes\[0\] already, which comes first; put it before "\/\*"/,
  ],
  [
    "the bare path behind its wildcard",
    "services: { s: { url: http://h } }\nroutes:\n- { match: /a/*, service: s }\n- { match: /a, service: s }",
    /routes\[1\]\.match \(line 4\): "\/a" is matched by routes\[0\] already/,
  ],
  [
    "a route under Usher's own paths",
    "services: { s: { url: http://h } }\nroutes: [{ match: /_usher/x, service: s }]",
    /Usher keeps for itself/,
  ],
  [
    "a route with a query",
    "services: { s: { url: http://h } }\nroutes: [{ match: /a?b, service: s }]",
    /has a \? or #/,
  ],
  [
    "a route that climbs",
    "services: { s: { url: http://h } }\nroutes: [{ match: /a/../b, service: s }]",
    /has \/\/, \\, \. or \.\./,
  ],
  [
    "a star in the middle",
    "services: { s: { url: http://h } }\nroutes: [{ match: /a*/b, service: s }]",
    /\* elsewhere than at the end/,
  ],
  [
    "a match without a path",
    "services: { s: { url: http://h } }\nroutes: [{ match: { methods: [GET] }, service: s }]",
    /routes\[0\]\.match \(line 2\): is missing; give a path as path/,
  ],
  [
    "a match with an unknown field",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, method: [GET] }, service: s }]",
    /"method" is not a field here \(did you mean "methods"\?\)/,
  ],
  [
    "a match by a method that is none",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, methods: [get] }, service: s }]",
    /"get" is not a method; give a list/,
  ],
  [
    "a match by no method at all",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, methods: [] }, service: s }]",
    /methods is a list of none, or of too many; give a list/,
  ],
  [
    "a match by methods that are no list",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, methods: GET }, service: s }]",
    /methods "GET" is a string; give a list/,
  ],
  [
    "a match by a header that is a number",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, headers: { x-a: 1 } }, service: s }]",
    /headers x-a 1 is a number; give a map from names.*in quotes/,
  ],
  [
    "a match by a header without a name",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, headers: { 'x a': true } }, service: s }]",
    /"x a" is no name that headers have/,
  ],
  [
    "a match by cookies that are a list",
    "services: { s: { url: http://h } }\nroutes: [{ match: { path: /, cookies: [a] }, service: s }]",
    /cookies is a list; give a map/,
  ],
  [
    "a match by a list",
    "services: { s: { url: http://h } }\nroutes: [{ match: [GET, /], service: s }]",
    /match \(line 2\): is a list; give a path/,
  ],
  [
    "a wait where nobody waits",
    "services: { s: { url: http://h } }\nroutes: [{ match: /, service: s, max_wait: 1m }]",
    /routes\[0\]\.max_wait \(line 2\): goes with a queue/,
  ],
  [
    "headers to store and headers to drop",
    "services: { s: { url: http://h } }\nroutes: [{ match: /, service: s, store_headers: [a], drop_headers: [b] }]",
    /drop_headers \(line 2\): says what is stored, and store_headers does already/,
  ],
  [
    "a header to drop that is none",
    "services: { s: { url: http://h } }\nroutes: [{ match: /, service: s, drop_headers: ['a b'] }]",
    /drop_headers\[0\] \(line 2\): "a b" is not a header's name/,
  ],
  [
    "an address with a path",
    "services: { s: { url: http://h/api } }\nroutes: [{ match: /, service: s }]",
    /more than scheme, host and port/,
  ],
  [
    "an address with a password",
    "services: { s: { url: http://u:p@h } }\nroutes: [{ match: /, service: s }]",
    /user name or password in it/,
  ],
  [
    "a log that is no log",
    `log: ./data\nqueues: { q: { ${QUEUE} } }`,
    /log \(line 1\): "\.\/data" is not a log; give sqlite: and a directory/,
  ],
  [
    "a log whose directory looks like a host",
    `log: sqlite://data\nqueues: { q: { ${QUEUE} } }`,
    /"sqlite:\/\/data" names a host/,
  ],
  [
    "a port beyond the last",
    `listen: { port: 65536 }\nqueues: { q: { ${QUEUE} } }`,
    /listen\.port \(line 1\): 65536 is too large/,
  ],
  [
    "a host that is an address cut short",
    `listen: { host: 127.0.0 }\nqueues: { q: { ${QUEUE} } }`,
    /listen\.host \(line 1\): "127\.0\.0" is neither/,
  ],
  ["an empty field", "queues:", /queues \(line 1\): is empty; give a map from names to queues/],
  [
    "a list where a map belongs",
    "queues: [a]",
    /queues \(line 1\): is a list; give a map from names to queues/,
  ],
  ["a list at the top", "- a", /^is a list; give a map of public_url/],
  ["nothing to serve", "nodes: 1", /^has neither queues nor routes/],
])("told, with its place: %s", (_, text, expected) => {
  expect(mistakes(text).filter((line) => expected.test(line))).toHaveLength(1);
});

const STORING = [
  "hold: 1s",
  "body_bytes: 10",
  "response_bytes: 10",
  "store_headers: [a]",
  "drop_headers: [a]",
];

test.each(STORING)(
  "%s is refused where nothing is held or stored: before people, and without a queue",
  (field) => {
    const text = (kind: string, queue: string) => `services: { s: { url: http://h } }
queues: { q: { kind: ${kind}, limit: { max_active: 1 }, max_wait: 1m } }
routes:
- { match: /, service: s${queue},
    ${field} }`;
    const name = field.replace(/:.*/, "");
    expect(mistakes(text("pass", ", queue: q"))).toEqual([
      `routes[0].${name} (line 5): goes with a queue of kind defer, which stores requests; in one of kind pass people wait, and nothing is held or stored; take it out`,
    ]);
    expect(mistakes(text("defer", ""))).toEqual([
      `routes[0].${name} (line 5): goes with a queue, and this route has none: nobody waits here; take it out, or give a queue`,
    ]);
    expect(parse(text("defer", ", queue: q")).routes).toHaveLength(1);
  },
);

test("what counts before people as before requests may be said in a route to either", () => {
  const fields = "max_wait: 1m, timeout: 5s, silence: 5s, upgrade: true, idempotent: true";
  for (const kind of ["defer", "pass"])
    expect(
      parse(`services: { s: { url: http://h } }
queues: { q: { kind: ${kind}, limit: { max_active: 1 }, max_wait: 1m, session: 1m, key_retention: 1m } }
routes: [{ match: /, service: s, queue: q, ${fields} }]`).routes,
    ).toHaveLength(1);
});

test("attempts are refused in a queue of people, of whom none is sent by Usher", () => {
  expect(mistakes(`queues:\n  q: { ${QUEUE.replace("defer", "pass")},\n    attempts: 3 }`)).toEqual([
    "queues.q.attempts (line 3): goes with a queue of kind defer: in one of kind pass nothing is sent by Usher; take it out",
  ]);
});

test("a value that is long is repeated in part only", () => {
  const [line] = mistakes(
    `queues: { q: { kind: ${"x".repeat(5_000)}, limit: { max_active: 1 }, max_wait: 1m } }`,
  );
  expect(line!.length).toBeLessThan(200);
});

test("of hundreds of mistakes the first fifty are shown and the rest counted", () => {
  const text = `queues: { q: { ${QUEUE} } }\n${Array.from({ length: 300 }, (_, at) => `x${at}: 1`).join("\n")}`;
  expect(() => parse(text)).toThrow(/300 mistakes(\n.*){50}\n {2}and 250 more$/);
});

test.each([
  ["an empty file", "", /^usher.yaml: is empty/],
  ["a file of comments", "# only words\n", /^usher.yaml: is empty/],
  ["broken brackets", "a: [1\nb: }", /\n {2}\(line 2\): /],
  ["a name that stands twice", "a: 1\na: 2", /^usher.yaml \(line 2\): the same name stands twice/],
  ["two documents", "a: 1\n---\nb: 2", /a second document begins here/],
  ["a tag that makes code", "a: !!js/function x", /\(line 1\): Unresolved tag/],
  ["an alias of nothing", "a: 1\nb: *nobody", /\(line 2\): \*nobody: there is no anchor of that name/],
  ["brackets a hundred thousand deep", "[".repeat(100_000), /\(line 1\): /],
])("refused, by its line where it has one: %s", (_, text, expected) => {
  let error: unknown;
  try {
    parse(text);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toMatch(expected);
});

test("anchors that multiply without end are refused", () => {
  const names = "abcdefghij".split("");
  const lines = names.map((name, at) =>
    at === 0
      ? "a: &a [x]"
      : `${name}: &${name} [${Array(9)
          .fill(`*${names[at - 1]}`)
          .join(", ")}]`,
  );
  expect(() => parse(lines.join("\n"))).toThrow(/repeats its anchors more than 100 times/);
});

test("an anchor may be merged, and a mistake in it is told where it stands", () => {
  const text = (wait: string) => `queues:
  a: &base
    kind: defer
    limit: { max_active: 1 }
    max_wait: ${wait}
  b:
    <<: *base
    attempts: 2
`;
  expect(parse(text("1m")).queues.map(({ settings }) => [settings.max_wait_ms, settings.attempts])).toEqual([
    [60_000, 5],
    [60_000, 2],
  ]);
  expect(mistakes(text("x"))).toHaveLength(2);
});

test("paths in a file count from the file's directory", async () => {
  const file = join(directory, "usher.yaml");
  await writeFile(file, `log: sqlite:tickets\nqueues: { q: { ${QUEUE} } }`);
  expect((await loadConfig(file)).log).toMatchObject({ directory: join(directory, "tickets") });
});

test.each([
  ["that is not there", async () => join(directory, "none.yaml"), /there is no such file/],
  ["that is a directory", async () => directory, /is a directory/],
  [
    "larger than any configuration",
    async () => fileOf("large.yaml", "#".repeat(FILE_BYTES_MAX + 1)),
    /is larger than/,
  ],
  [
    "that is not text",
    async () => fileOf("binary.yaml", Buffer.of(0xff, 0xfe, 0x00, 0x80)),
    /is not UTF-8 text/,
  ],
])("a file %s is refused in one line that names it", async (_, path, expected) => {
  const file = await path();
  const error = await loadConfig(file).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  const { message } = error as Error;
  expect(message).not.toContain("\n");
  expect(message.startsWith(`${file}: `)).toBe(true);
  expect(message).toMatch(expected);
});

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, content);
  return file;
}
