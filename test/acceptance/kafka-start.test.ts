// `usher serve` on a Kafka that is not there, or not as it should be: the node stays, says why, and is ready by itself
// when that is mended. Real processes, a real broker, and the rights and topics by the commands of docs/kafka.md.

import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type KafkaCluster, runTool, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@usher/protocol/health";
import { EnvelopeSchema } from "@usher/protocol/log";
import { QueueService } from "@usher/protocol/queue";
import { openKafkaLog } from "@usher/ticket-log";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from "vitest";
import { eventually } from "../support/eventually.ts";
import type { Program } from "../support/program.ts";
import { runUsher, usherProgram } from "../support/usher.ts";

const PASSWORD = "swordfish";
const DOCUMENT = join(import.meta.dirname, "../../docs/kafka.md");

// A node tries again half a minute apart at most, and a machine that also runs the broker is slow.
vi.setConfig({ testTimeout: 180_000 });

let kafka: KafkaCluster;
let directory: string;
let keys: string;
const programs: Program[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-kafka-start-"));
  keys = join(directory, "usher.keys.json");
  expect(await runUsher(["init", "--keys", keys])).toMatchObject({ code: 0, stderr: "" });
  kafka = await startKafka({
    saslUsers: { usher: PASSWORD, stranger: PASSWORD, analyst: PASSWORD },
    acl: true,
    tls: true,
  });
}, START_WAIT_MS);
afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
});
afterAll(async () => {
  await kafka?.close();
  await rm(directory, { recursive: true });
});

let names = 0;

/** Topics that no other test has. */
const freshTopics = (): string => `start${++names}`;

interface Wanted {
  readonly topics: string;
  /** The brokers; by default those that ask nobody for anything. */
  readonly brokers?: readonly string[];
  /** More of the section `kafka`. */
  readonly more?: string;
  readonly args?: readonly string[];
  /** The file of keys; by default the one that all share. */
  readonly keyFile?: string;
}

/** Starts a node, which need not be ready. */
async function serve(wanted: Wanted): Promise<Program> {
  const { topics, brokers = kafka.brokers, more = "", args = [], keyFile = keys } = wanted;
  const own = await mkdtemp(join(directory, "node-"));
  await writeFile(
    join(own, "usher.yaml"),
    `log: "kafka://${brokers.join(",")}"
keys: ${keyFile}
kafka:
  topics: ${topics}
  replication: 1
${more.replace(/^/gm, "  ")}
listen: { host: 127.0.0.1, port: 0, grpc_port: 0, metrics_port: 0 }
queues: { concert: { kind: pass, limit: { max_active: 1 }, max_wait: 1h } }
`,
  );
  const program = usherProgram(["serve", ...args], { cwd: own });
  programs.push(program);
  return program;
}

interface Places {
  readonly gateway: string;
  readonly native: string;
  readonly metrics: string;
}

/** Where a node is that listens. */
async function placesOf(program: Program): Promise<Places> {
  const [, gateway = ""] = await program.says(/gateway +(http:\S+)/);
  const [, native = ""] = await program.says(/native gRPC +(\S+)/);
  const [, metrics = ""] = await program.says(/metrics +(http:\S+)/);
  return { gateway, native: `http://${native}`, metrics };
}

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return answer.status;
}

async function expectStarting(program: Program, why: RegExp): Promise<void> {
  const { gateway, native } = await placesOf(program);
  expect(await statusOf(`${gateway}/livez`)).toBe(200);
  const answer = await fetch(`${gateway}/readyz`);
  expect(answer.status).toBe(503);
  const { detail } = (await answer.json()) as { detail: string };
  expect(detail).toMatch(/^this node is starting: /);
  expect(detail).toMatch(why);
  // Whoever asks is not told where the cluster is.
  for (const broker of kafka.brokers) expect(detail).not.toContain(broker);
  const health = createClient(Health, createGrpcTransport({ baseUrl: native }));
  expect((await health.check({})).status).toBe(Serving.NOT_SERVING);
}

/** It is ready, and gives out the first ticket. */
async function expectServing(program: Program): Promise<void> {
  await program.says(/usher: ready\n/);
  const { gateway, native } = await placesOf(program);
  expect(await statusOf(`${gateway}/readyz`)).toBe(200);
  const health = createClient(Health, createGrpcTransport({ baseUrl: native }));
  expect((await health.check({})).status).toBe(Serving.SERVING);
  await eventually(() => issue(gateway));
}

async function issue(url: string): Promise<number> {
  const client = createClient(QueueService, createGrpcTransport({ baseUrl: url }));
  const { status } = await client.issue({ queue: "concert" });
  return status?.ticket?.number ?? 0;
}

function timesSaid(program: Program, pattern: RegExp): number {
  return program.output.match(new RegExp(pattern, "g"))?.length ?? 0;
}

/** The commands of the document that run a tool, as arguments; for this cluster, and topics of that prefix. */
async function documented(tool: string, topics: string): Promise<string[][]> {
  const text = await readFile(DOCUMENT, "utf8");
  const commands = text.split("\n").filter((line) => line.startsWith(`${tool}.sh `));
  return commands.map((line) =>
    line
      .replaceAll("usher.queues", `${topics}.queues`)
      .replaceAll("usher.payloads", `${topics}.payloads`)
      .replace("--replication-factor 3", "--replication-factor 1")
      .replace("min.insync.replicas=2", "min.insync.replicas=1")
      .replace(/--bootstrap-server \S+/, `--bootstrap-server ${kafka.inside[0]}`)
      .split(" ")
      .slice(1),
  );
}

async function run(className: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runTool(className, args);
  if (code !== 0) throw new Error(`${className} ${args.join(" ")} failed:\n${stdout}${stderr}`);
}

const ACLS = "org.apache.kafka.tools.AclCommand";
const TOPICS = "org.apache.kafka.tools.TopicCommand";
const CONFIGS = "kafka.admin.ConfigCommand";

/** The section that logs in. */
async function login(user: string, password: string, mechanism = "scram-sha-512"): Promise<string> {
  const file = join(await mkdtemp(join(directory, "secret-")), "secret");
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return `sasl: { mechanism: ${mechanism}, username: ${user}, password_file: ${file} }`;
}

test("without the shared keys no node starts, and none makes its own; usher init makes them once", async () => {
  const keyFile = join(directory, "others.json");
  const program = await serve({ topics: freshTopics(), keyFile });
  expect((await program.ended).code).toBe(1);
  const refused = program.output.split("\n").find((line) => line.includes("there is no file of keys"));
  expect(refused).toContain(`usher init --keys ${keyFile}`);
  // Not even a port was taken.
  expect(program.output).not.toMatch(/gateway/);
  await expect(stat(keyFile)).rejects.toThrow("ENOENT");

  expect((await stat(keys)).mode & 0o777).toBe(0o600);
  const made = await readFile(keys, "utf8");
  const again = await runUsher(["init", "--keys", keys]);
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toMatch(/is there already, and is left as it is/);
  expect(await readFile(keys, "utf8")).toBe(made);
});

describe("a log that cannot be opened", () => {
  test("a wrong password is said once; the node comes up when it is that user's", async () => {
    const topics = freshTopics();
    const program = await serve({
      topics,
      brokers: kafka.at("sasl"),
      more: await login("usher", "mackerel"),
    });
    await program.says(/the log cannot be opened: .*refuses the credentials/);
    expect(program.output).toMatch(/kafka\.sasl without kafka\.tls/);
    expect(program.output).not.toContain("mackerel");
    await expectStarting(program, /the log refuses this node/);
    for (const command of await documented("kafka-acls", topics)) await run(ACLS, command);
    await run(CONFIGS, [
      ...["--bootstrap-server", kafka.inside[0]!, "--alter", "--entity-type", "users"],
      ...["--entity-name", "usher", "--add-config", "SCRAM-SHA-512=[password=mackerel]"],
    ]);
    await expectServing(program);
    expect(timesSaid(program, /the log cannot be opened/)).toBe(1);
    expect(timesSaid(program, /the log is open\n/)).toBe(1);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  });

  test("rights that are missing are named; those of the document are enough, also to make the topics", async () => {
    const topics = freshTopics();
    // Another user than in the document, whose rights no other test has changed.
    const program = await serve({
      topics,
      brokers: kafka.at("sasl_tls"),
      more: `${await login("stranger", PASSWORD, "plain")}\ntls: { ca: ${await authorityFile()} }`,
    });
    await program.says(new RegExp(`the log cannot be opened: .*Describe.*topic ${topics}\\.queues`));
    await expectStarting(program, /the log refuses this node/);
    expect(program.output).not.toMatch(/without kafka\.tls/);
    for (const command of await documented("kafka-acls", topics))
      await run(
        ACLS,
        command.map((word) => word.replace("User:usher", "User:stranger")),
      );
    await expectServing(program);
    expect(await readable("analyst", `${topics}.queues`)).toBe(true);
    expect(await readable("analyst", `${topics}.payloads`)).toBe(false);
  });

  test("topics that the operator has made by the document's commands are taken, without the right to make any", async () => {
    const topics = freshTopics();
    for (const command of await documented("kafka-topics", topics)) await run(TOPICS, command);
    for (const command of await documented("kafka-acls", topics))
      if (!command.includes("Create"))
        await run(
          ACLS,
          command.map((word) => word.replace("User:usher", "User:stranger")),
        );
    const program = await serve({
      topics,
      brokers: kafka.at("sasl"),
      more: await login("stranger", PASSWORD, "scram-sha-256"),
    });
    await expectServing(program);
    expect(program.output).not.toMatch(/cannot be opened/);
  });

  test("a topic with another number of partitions is named; the node comes up when it is gone", async () => {
    const topics = freshTopics();
    const at = ["--bootstrap-server", kafka.inside[0]!, "--topic", `${topics}.queues`];
    await run(TOPICS, [...at, "--create", "--partitions", "3"]);
    const program = await serve({ topics });
    await program.says(
      new RegExp(`cannot be opened: the topic ${topics}\\.queues .* 3 partitions instead of 1`),
    );
    // One reason, one line, however much of the topic is wrong.
    expect(program.output.split("\n").filter((line) => line.includes("retention.ms"))).toEqual([
      expect.stringMatching(/^usher: the log cannot be opened: /),
    ]);
    await expectStarting(program, /other settings than it needs/);
    await run(TOPICS, [...at, "--delete"]);
    await expectServing(program);
  });

  test.each([
    ["of a newer format", newerRecord(), /record 0 is of format level 99, .*run a newer Usher/],
    ["of somebody else", Buffer.from("{}"), /none is the beginning of an Usher log/],
  ])("records %s are left alone, and the node stays unready", async (_, value, expected) => {
    const topics = freshTopics();
    await append(topics, value);
    const program = await serve({ topics });
    await program.says(/the log cannot be opened: /);
    expect(program.output).toMatch(expected);
    await expectStarting(program, /the log is none that this node can read/);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  });
});

test("a broker may be named by its IPv6 address", async () => {
  const [host, port] = (kafka.brokers[0] ?? "").split(":");
  const door = createServer((client) => {
    const broker = connect({ host, port: Number(port) });
    client.pipe(broker).pipe(client);
    for (const socket of [client, broker])
      socket.on("error", () => [client, broker].map((each) => each.destroy()));
  });
  await once(door.listen(0, "::1"), "listening");
  onTestFinished(() => void door.close());
  const { port: own } = door.address() as AddressInfo;
  const program = await serve({ topics: freshTopics(), brokers: [`[::1]:${own}`] });
  await expectServing(program);
});

describe("a broker that is away", () => {
  beforeEach(() => kafka.broker(1).start());
  afterEach(() => kafka.broker(1).start());

  test("at the start: the node says so, lives, and is ready by itself once it is there", async () => {
    await kafka.broker(1).stop();
    const program = await serve({ topics: freshTopics(), args: ["--node", "gateway-7", "--nodes", "1"] });
    await program.says(/the log cannot be opened: .* \(trying again until it opens\)\n/);
    expect(program.output).toContain(`log          kafka://${kafka.brokers[0]} `);
    expect(program.output).toMatch(/node +gateway-7, the only one/);
    await expectStarting(program, /the log cannot be reached/);
    const { metrics } = await placesOf(program);
    expect(await textOf(metrics)).toMatch(/^usher_node_ready(\{.*\})? 0$/m);
    await kafka.broker(1).start();
    await expectServing(program);
    expect(await textOf(metrics)).toMatch(/^usher_node_ready(\{.*\})? 1$/m);
    expect(timesSaid(program, /the log cannot be opened/)).toBe(1);
    expect(timesSaid(program, /the log is open\n/)).toBe(1);
  });

  test("and a node that is told to stop while it waits stops", async () => {
    await kafka.broker(1).stop();
    const program = await serve({ topics: freshTopics() });
    await program.says(/the log cannot be opened/);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.output).toMatch(/SIGTERM: letting .*\nusher: stopped\n$/);
    expect(program.output).not.toMatch(/^\s+at /m);
  });

  test("later: the node is not ready, says so once, and is ready again, said once", async () => {
    const program = await serve({ topics: freshTopics() });
    await expectServing(program);
    const { gateway, native } = await placesOf(program);
    const health = createClient(Health, createGrpcTransport({ baseUrl: native }));
    await kafka.broker(1).kill();
    await program.says(/not ready: the log is not followed/);
    expect(await statusOf(`${gateway}/livez`)).toBe(200);
    expect(await statusOf(`${gateway}/readyz`)).toBe(503);
    expect((await health.check({})).status).toBe(Serving.NOT_SERVING);
    await expect(issue(gateway)).rejects.toThrow(/\[unavailable\]/);
    await kafka.broker(1).start();
    await program.says(/the log is followed again/);
    await eventually(async () => expect(await statusOf(`${gateway}/readyz`)).toBe(200));
    expect((await health.check({})).status).toBe(Serving.SERVING);
    await eventually(() => issue(gateway));
    expect(timesSaid(program, /not ready: the log/)).toBe(1);
    expect(timesSaid(program, /the log is followed again/)).toBe(1);
  });

  test("and a node that lost its log stops when it is told to", async () => {
    const program = await serve({ topics: freshTopics() });
    await expectServing(program);
    await kafka.broker(1).kill();
    await program.says(/not ready: the log is not followed/);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.output).toMatch(/\nusher: stopped\n$/);
  });
});

/** Whether that user, in the group of the same name, may read the topic: Kafka's own consumer tells. */
async function readable(user: string, topic: string): Promise<boolean> {
  const file = join(directory, `${user}.properties`);
  const module = "org.apache.kafka.common.security.plain.PlainLoginModule";
  await writeFile(
    file,
    `security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=${module} required username="${user}" password="${PASSWORD}";
`,
  );
  const { stderr } = await runTool("org.apache.kafka.tools.consumer.ConsoleConsumer", [
    ...["--bootstrap-server", kafka.at("sasl")[0]!, "--consumer.config", file],
    ...[
      "--topic",
      topic,
      "--group",
      user,
      "--from-beginning",
      "--max-messages",
      "1",
      "--timeout-ms",
      "30000",
    ],
  ]);
  if (/Not authorized to access topics/.test(stderr)) return false;
  expect(stderr).toMatch(/Processed a total of 1 messages/);
  return true;
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function authorityFile(): Promise<string> {
  const file = join(directory, "ca.pem");
  await writeFile(file, kafka.ca);
  return file;
}

/** Writes into a log, whatever it is. */
async function append(topics: string, value: Uint8Array): Promise<void> {
  const log = await openKafkaLog({
    ...{ brokers: kafka.brokers, topics, replication: 1, node: "forger" },
    spool: { directory: await mkdtemp(join(directory, "forger-")) },
    payload_retention_ms: 24 * 60 * 60_000,
    onFault: () => {},
  });
  const writer = log.openWriter();
  await writer.append({ key: "", value });
  await writer.close();
  await log.close();
}

/** In an envelope that is right, of a level that no build knows. */
function newerRecord(): Uint8Array {
  const record = Buffer.from("from the future");
  const head = Buffer.alloc(24);
  head.writeUInt32LE(99, 0);
  head.writeBigUInt64LE(7n, 4);
  head.writeUInt32LE(1, 12);
  const envelope = { formatLevel: 99, session: 7n, sequence: 1, wallTimeMs: 0n, record };
  const checksum = crc32(Buffer.concat([head, record]));
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...envelope, checksum }));
}
