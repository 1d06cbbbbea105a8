// A log on Kafka, as the file and the flags say it.

import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certificate } from "../../../test/support/certificate.ts";
import { places, warnings } from "../src/cli/serve/announcement.ts";
import { planOf, type ServeFlags } from "../src/cli/serve/flags.ts";
import type { Config } from "../src/config/config.ts";
import { type Overrides, parseConfig } from "../src/config/load.ts";
import { type LogUrl, logUrl } from "../src/config/log-url.ts";
import { ConfigError } from "../src/config/mistake.ts";
import { UsageError } from "../src/failure.ts";
import { payloadRetention_ms } from "../src/log-source.ts";

const QUEUES = "queues: { q: { kind: defer, limit: { max_active: 6 }, max_wait: 1m } }";
const KAFKA = "log: kafka://b1:9092";
const USER = "mechanism: plain, username: u";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-kafka-config-"));
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const locked = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "p" } as const;
  const files = {
    secret: "swordfish\n",
    empty: "\n",
    lines: "one\ntwo\n",
    "ca.pem": `# a bundle\n${certificate.cert}\n${certificate.cert}\n`,
    "c.pem": certificate.cert,
    "k.pem": certificate.key,
    "stranger.pem": stranger.export({ type: "pkcs8", format: "pem" }),
    "locked.pem": stranger.export(locked),
    "torn.pem": certificate.cert.replace("MIIB", "MIIA"),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  await mkdir(join(directory, "folder"));
});
afterAll(() => rm(directory, { recursive: true }));

interface Given {
  readonly overrides?: Overrides;
  readonly env?: Record<string, string>;
}

function parse(text: string, { overrides, env = {} }: Given = {}): Config {
  return parseConfig(`${text}\n${QUEUES}`, { name: "usher.yaml", directory, overrides, env });
}

/** What is wrong with the file, in one line each. */
function mistakes(text: string, given?: Given): string {
  try {
    parse(text, given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("nothing was found wrong");
}

test("a whole section is read, with what its files hold", () => {
  const config = parse(`log: kafka://b1:9092,b2:9093
node: gateway-1
nodes: 3
keys: ./usher.keys.json
kafka:
  topics: tickets.eu
  replication: 2
  tls: { ca: ./ca.pem, cert: ./c.pem, key: ./k.pem }
  sasl: { mechanism: SCRAM-SHA-512, username: usher, password_file: ./secret }
  spool: { directory: ./spool, max_bytes: 512MiB }`);
  const { cert, key } = certificate;
  expect(config.log).toEqual({
    kind: "kafka",
    brokers: ["b1:9092", "b2:9093"],
    topics: "tickets.eu",
    replication: 2,
    tls: { ca: `# a bundle\n${cert}\n${cert}\n`, own: { cert, key } },
    sasl: { mechanism: "scram-sha-512", username: "usher", password: "swordfish" },
    spool: { directory: join(directory, "spool"), bytes_max: 512 * 1024 * 1024 },
  });
  expect(config).toMatchObject({ node: "gateway-1", nodes: 3, keys: join(directory, "usher.keys.json") });
});

test("the brokers alone are enough", () => {
  const config = parse(KAFKA);
  expect(config.log).toEqual({
    ...{ kind: "kafka", brokers: ["b1:9092"], topics: "usher", replication: 3 },
    ...{ tls: undefined, sasl: undefined },
    spool: { directory: join(directory, "data"), bytes_max: 1024 ** 3 },
  });
  expect(config).toMatchObject({ nodes: 1, node: undefined, keys: join(directory, "data/usher.keys.json") });
});

test.each<[string, readonly string[]]>([
  ["kafka://b1,b2", ["b1:9092", "b2:9092"]],
  ["kafka://b1:9092, b2:1/", ["b1:9092", "b2:1"]],
  ["KAFKA://Broker.Example.com", ["broker.example.com:9092"]],
  ["kafka://10.0.0.1:65535", ["10.0.0.1:65535"]],
  ["kafka://[fd00::1],[::1]:9093", ["[fd00::1]:9092", "[::1]:9093"]],
])("%s names brokers", (text, brokers) => {
  expect(logUrl(text)).toEqual({ kind: "kafka", brokers });
});

test.each<[string, string, RegExp]>([
  ["no brokers", "kafka://", /is no list of brokers; give kafka:\/\/ and brokers/],
  ["no slashes", "kafka:b1:9092", /is no list of brokers/],
  ["a path", "kafka://b1:9092/usher", /is no list of brokers/],
  ["an empty place", "kafka://b1:9092,,b2", /has a broker without a name/],
  ["a port beyond the last", "kafka://b1:65536", /"b1:65536" has a port that cannot be/],
  ["the port 0", "kafka://b1:0", /has a port that cannot be/],
  ["a port in letters", "kafka://b1:kafka", /"b1:kafka" is not a broker/],
  ["an IPv6 address without brackets", "kafka://::1", /"::1" needs brackets; give \[::1\]:9092/],
  ["brackets around something else", "kafka://[b1]:9092", /"\[b1\]:9092" is not a broker/],
  ["an address cut short", "kafka://10.0.0:9092", /"10\.0\.0:9092" is not a broker/],
  ["the same twice", "kafka://b1,b2,B1:9092", /names the broker b1:9092 twice/],
  ["a password", "kafka://u:p@b1:9092", /those go into kafka\.sasl/],
  ["another scheme", "redis://b1", /"redis:\/\/b1" is not a log; give sqlite: .*, or kafka:/],
])("refused as a log, with its line: %s", (_, url, expected) => {
  const text = mistakes(`# a comment\nlog: "${url}"`);
  expect(text).toMatch(/^usher\.yaml: log \(line 2\): /);
  expect(text).toMatch(expected);
});

test("a password in the log's line is not repeated", () => {
  expect(mistakes("log: kafka://u:swordfish@b1:9092")).not.toContain("swordfish");
});

test.each<[string, string, RegExp]>([
  ["a section with the embedded log", "kafka: { topics: t }", /kafka \(line 2\): goes with a Kafka log/],
  ["an empty section", `${KAFKA}\nkafka:`, /kafka \(line 3\): is empty; give a map of topics, /],
  [
    "a topic that cannot be",
    `${KAFKA}\nkafka: { topics: a/b }`,
    /kafka\.topics \(line 3\): "a\/b" cannot begin/,
  ],
  ["no copies", `${KAFKA}\nkafka: { replication: 0 }`, /kafka\.replication \(line 3\): 0 is too small/],
  [
    "a field nobody knows",
    `${KAFKA}\nkafka: { topcis: t }`,
    /kafka\.topcis \(line 3\): .*did you mean "topics"/,
  ],
  ["TLS that is a word", `${KAFKA}\nkafka: { tls: yes please }`, /give true, or a map of ca, cert, key/],
  [
    "authorities that are not there",
    `${KAFKA}\nkafka:\n  tls: { ca: none.pem }`,
    /kafka\.tls\.ca \(line 4\): "none\.pem" is not there; name a file that is/,
  ],
  ["authorities that are a directory", `${KAFKA}\nkafka: { tls: { ca: folder } }`, /"folder" is a directory/],
  ["authorities that are none", `${KAFKA}\nkafka: { tls: { ca: secret } }`, /"secret" holds no certificate/],
  ["a torn certificate", `${KAFKA}\nkafka: { tls: { ca: torn.pem } }`, /"torn\.pem" holds no certificate/],
  [
    "a certificate without its key",
    `${KAFKA}\nkafka: { tls: { cert: c.pem } }`,
    /kafka\.tls\.cert \(line 3\): stands without key/,
  ],
  [
    "a key without its certificate",
    `${KAFKA}\nkafka: { tls: { key: k.pem } }`,
    /kafka\.tls\.key \(line 3\): stands without cert/,
  ],
  [
    "another certificate's key",
    `${KAFKA}\nkafka: { tls: { cert: c.pem, key: stranger.pem } }`,
    /kafka\.tls\.key \(line 3\): is another certificate's/,
  ],
  [
    "a key that is none",
    `${KAFKA}\nkafka: { tls: { cert: c.pem, key: c.pem } }`,
    /"c\.pem" holds no private key/,
  ],
  [
    "a key with a passphrase",
    `${KAFKA}\nkafka: { tls: { cert: c.pem, key: locked.pem } }`,
    /"locked\.pem" is locked with a passphrase/,
  ],
  [
    "a mechanism that is not known",
    `${KAFKA}\nkafka: { sasl: { mechanism: scram-sha-515, username: u, password_file: secret } }`,
    /kafka\.sasl\.mechanism \(line 3\): .*did you mean "scram-sha-512"/,
  ],
  ["nobody's name", `${KAFKA}\nkafka: { sasl: { mechanism: plain, username: "" } }`, /kafka\.sasl\.username/],
  [
    "no password",
    `${KAFKA}\nkafka:\n  sasl: { ${USER} }`,
    /kafka\.sasl \(line 4\): has no password; give password_file, or the environment's USHER_KAFKA_PASSWORD/,
  ],
  [
    "a file of passwords that is not there",
    `${KAFKA}\nkafka: { sasl: { ${USER}, password_file: none } }`,
    /kafka\.sasl\.password_file \(line 3\): "none" is not there/,
  ],
  ["an empty password", `${KAFKA}\nkafka: { sasl: { ${USER}, password_file: empty } }`, /"empty" is empty/],
  [
    "two passwords",
    `${KAFKA}\nkafka: { sasl: { ${USER}, password_file: lines } }`,
    /holds more than a password/,
  ],
  [
    "a spool without room",
    `${KAFKA}\nkafka: { spool: { max_bytes: 1KiB } }`,
    /"1KiB" is too small; .* from 64MiB/,
  ],
  [
    "a size without sense",
    `${KAFKA}\nkafka: { spool: { max_bytes: 1GB } }`,
    /"1GB" is not a size; .*KiB, MiB or GiB/,
  ],
  ["a node without a name", `${KAFKA}\nnode: ""`, /node \(line 3\): "" is not a node's name/],
  ["a node that is two", `${KAFKA}\nnode: a/time`, /"a\/time" is not a node's name/],
  ["no nodes", `${KAFKA}\nnodes: 0`, /nodes \(line 3\): 0 is too small; give a whole number from 1 to 1000/],
  [
    "less room than nodes",
    `${KAFKA}\nnodes: 7`,
    /queues\.q\.limit\.max_active \(line 4\): 6 cannot be divided among 7 nodes; give at least 7/,
  ],
])("told, with its place: %s", (_, text, expected) => {
  // One mistake, one line.
  const told = mistakes(`# the first line\n${text}`);
  expect(told).toMatch(expected);
  expect(told).not.toContain("\n");
});

test("a password in the file itself is refused, without repeating it", () => {
  const told = mistakes(`${KAFKA}\nkafka: { sasl: { ${USER}, password: swordfish } }`);
  expect(told).toMatch(/kafka\.sasl\.password \(line 2\): is not a field here; known are .*password_file/);
  expect(told).not.toContain("swordfish");
});

test("all mistakes of a section are told together, with the others", () => {
  const text = mistakes(`log: kafka://b1:9092
kafka:
  replication: many
  tls: { ca: none.pem }
  sasl: { ${USER}, password_file: none }
routes: [{ match: /, service: s }]`);
  const lines = text.split("\n").map((line) => /\(line \d+\)/.exec(line)?.[0]);
  expect(lines).toEqual([undefined, "(line 3)", "(line 4)", "(line 5)", "(line 6)"]);
});

test("the password may come from the environment; a file that is named counts before it", () => {
  const env = { USHER_KAFKA_PASSWORD: "from the environment" };
  const sasl = (text: string) => parse(`${KAFKA}\nkafka: { sasl: { ${text} } }`, { env }).log;
  expect(sasl(USER)).toMatchObject({ sasl: { password: "from the environment" } });
  expect(sasl(`${USER}, password_file: secret`)).toMatchObject({ sasl: { password: "swordfish" } });
});

test("tls: true is Node's own authorities, false is none", () => {
  expect(parse(`${KAFKA}\nkafka: { tls: true }`).log).toMatchObject({ tls: {} });
  expect(parse(`${KAFKA}\nkafka: { tls: false }`).log).toMatchObject({ tls: undefined });
});

test("a flag names another log; the section goes with it, or is left out", () => {
  const elsewhere = logUrl("kafka://b9");
  const file = `${KAFKA}\nkafka: { topics: t }\nnodes: 2`;
  expect(parse(file, { overrides: { log: elsewhere, data: "/d" } }).log).toMatchObject({
    ...{ brokers: ["b9:9092"], topics: "t", spool: { directory: "/d" } },
  });
  const here: LogUrl = { kind: "sqlite", directory: "/s" };
  expect(parse(file, { overrides: { log: here, nodes: 1 } }).log).toEqual({
    kind: "sqlite",
    directory: "/s",
  });
  // The file's number of nodes is one that the other log cannot have.
  expect(mistakes(file, { overrides: { log: here } })).toMatch(/nodes \(line 3\): 2 nodes cannot share/);
});

test("flags alone make a Kafka node, and the file that they stand for is the same", async () => {
  const flags: ServeFlags = {
    ...{ to: "http://localhost:3000", maxActive: 20, log: logUrl("kafka://b1,b2:9093") },
    ...{ keys: "k.json", nodes: 2, node: "a-1", data: "my, spool", metricsPort: "off" },
  };
  const { config, yaml } = await planOf(flags);
  expect(yaml).toContain("log: kafka://b1:9092,b2:9093\nkafka:\n  spool:\n");
  expect(config).toMatchObject({ nodes: 2, node: "a-1", listen: { metrics_port: "off" } });
  expect(config.log).toMatchObject({ spool: { directory: join(process.cwd(), "my, spool") } });
  expect(parseConfig(yaml!, { name: "usher.yaml", directory: process.cwd() })).toEqual(config);
});

test("--log sqlite and --data both say where the tickets are: one of them is too many", async () => {
  const planning = planOf({ to: "http://h", maxActive: 1, log: logUrl("sqlite:./a"), data: "b" });
  await expect(planning).rejects.toThrow(UsageError);
});

test("nodes on one Kafka log are told what they take, and what a second one needs", () => {
  const node = {
    ...{ url: "http://localhost:8080", grpc_port: 50051, metrics: undefined, name: "a-1" },
    ...{ ready: Promise.resolve([]), close: async () => {} },
  };
  const alone = parse(KAFKA);
  expect(warnings(alone)).toEqual([expect.stringMatching(/^nodes is 1, .* set nodes: 2 on both/)]);
  expect(places(alone, node)).toContain("node         a-1, the only one: it takes all of each limit");
  const two = parse("log: kafka://b1,b2\nnodes: 2");
  expect(warnings(two)).toEqual([]);
  expect(places(two, node)).toEqual(
    expect.arrayContaining([
      "log          kafka://b1:9092,b2:9092 (topics usher.queues, usher.payloads)",
      "node         a-1, one of 2: it takes 1/2 of each limit",
    ]),
  );
});

test("a password without encryption is warned of", () => {
  const sasl = (mechanism: string, more = "") =>
    parse(
      `${KAFKA}\nnodes: 2\nkafka: { ${more} sasl: { mechanism: ${mechanism}, username: u, password_file: secret } }`,
    );
  expect(warnings(sasl("plain"))).toEqual([
    expect.stringMatching(/without kafka\.tls: .*so can the password/),
  ]);
  expect(warnings(sasl("scram-sha-256"))).toEqual([expect.stringMatching(/^kafka\.sasl without kafka\.tls/)]);
  expect(warnings(sasl("plain", "tls: true,"))).toEqual([]);
  for (const config of [sasl("plain")]) expect(warnings(config).join()).not.toContain("swordfish");
});

test("payloads are kept for as long as any may be wanted, and a day at least", () => {
  expect(payloadRetention_ms(parse(KAFKA))).toBe(24 * 60 * 60_000);
  const long = parseConfig(
    `services: { s: { url: http://h } }
queues:
  a: { kind: defer, limit: { max_active: 1 }, max_wait: 2d, key_retention: 15m }
  b: { kind: defer, limit: { max_active: 1 }, max_wait: 1h, key_retention: 1d }
routes: [{ match: /a, service: s, queue: a, timeout: 10m }, { match: /b, service: s, queue: b, timeout: 1h }]`,
    { name: "usher.yaml", directory },
  );
  // The longest wait, the longest answer, the longest memory.
  expect(payloadRetention_ms(long)).toBe((48 + 1 + 24) * 60 * 60_000);
});
