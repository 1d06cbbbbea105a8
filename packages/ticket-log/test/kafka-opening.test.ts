// Opening the log on Kafka: what is made, what is refused, and with which words.

import { connect, createServer, type Socket } from "node:net";
import { type KafkaCluster, runTool, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import kafkajs from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Program } from "../../../test/support/program.ts";
import { appendAll, numbered, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { Nodes, RETENTION_MS, Stranger } from "./kafka-nodes.ts";

let kafka: KafkaCluster;
let stranger: Stranger;
const made: Nodes[] = [];

beforeAll(async () => {
  kafka = await startKafka({ saslUsers: { ann: "right", bob: "bobs" }, tls: true, acl: true });
  stranger = await Stranger.at(kafka.brokers);
}, START_WAIT_MS);

afterAll(async () => {
  await stranger?.close();
  await kafka?.close();
});

afterEach(async () => {
  for (const nodes of made.splice(0)) await nodes.close();
});

function nodesAt(options: Partial<ConstructorParameters<typeof Nodes>[0]> = {}): Nodes {
  const nodes = new Nodes({ brokers: kafka.brokers, ...options });
  made.push(nodes);
  return nodes;
}

/** What a topic must have, less what the test says. */
const FIT = {
  "compression.type": "uncompressed",
  "message.timestamp.type": "LogAppendTime",
  "retention.ms": "-1",
};

describe("the topics", () => {
  it("are made with the settings that the log needs", async () => {
    const nodes = nodesAt();
    await nodes.open();
    const common = {
      ...FIT,
      "cleanup.policy": "delete",
      "retention.bytes": "-1",
      "min.insync.replicas": "1",
      "max.message.bytes": "1048588",
      "unclean.leader.election.enable": "false",
    };
    expect(await stranger.settings(nodes.queues)).toMatchObject(common);
    const retention = { "retention.ms": String(RETENTION_MS) };
    expect(await stranger.settings(nodes.payloads)).toMatchObject({ ...common, ...retention });
    const { topics } = await stranger.admin.fetchTopicMetadata({ topics: [nodes.queues, nodes.payloads] });
    expect(topics.map(({ partitions }) => partitions.length)).toEqual([1, 1]);
  });

  it("are made once by nodes that start at the same time", async () => {
    const nodes = nodesAt();
    const started = await Promise.all(["a", "b", "c"].map((node) => nodes.open({ node })));
    const readers = started.map(({ log }) => new Reader({}, log));
    for (const { log, options } of started) await appendAll(log, [`by ${options.node}`]);
    for (const reader of readers) await reader.has(3);
    expect(readers.map(({ got }) => texts(got))).toEqual(
      Array.from({ length: 3 }, () => ["by a", "by b", "by c"]),
    );
  });

  it("are used as they are when they fit", async () => {
    const nodes = nodesAt();
    await stranger.create(nodes.queues, FIT);
    await stranger.create(nodes.payloads, { ...FIT, "compression.type": "gzip" });
    await nodes.open();
  });

  it("are refused by every setting that does not fit, each with what mends it", async () => {
    const nodes = nodesAt();
    await stranger.create(nodes.queues, {
      ...FIT,
      "retention.ms": "604800000",
      "retention.bytes": "1000000000",
      "cleanup.policy": "compact",
      "max.message.bytes": "100000",
      "compression.type": "producer",
      "message.timestamp.type": "CreateTime",
      "unclean.leader.election.enable": "true",
    });
    const { code, message } = await nodes.refusal();
    expect(code).toBe("misconfigured");
    expect(message).toContain(`the topic ${nodes.queues} is not as Usher needs it`);
    for (const [name, found, wanted] of [
      ["retention.ms", "604800000", "-1"],
      ["retention.bytes", "1000000000", "-1"],
      ["cleanup.policy", "compact", "delete"],
      ["max.message.bytes", "100000", "1048588"],
      ["compression.type", "producer", "uncompressed"],
      ["message.timestamp.type", "CreateTime", "LogAppendTime"],
      ["unclean.leader.election.enable", "true", "false"],
    ] as const) {
      expect(message).toContain(`${name} is ${found} instead of ${wanted}`);
      expect(message).toContain(`--topic ${nodes.queues} --add-config ${name}=${wanted}`);
    }
    // The command does as it says, but for where the tool is.
    const [, command = ""] = /kafka-configs\.sh (.* --add-config retention\.ms=-1)/.exec(message) ?? [];
    expect(await runTool("kafka.admin.ConfigCommand", command.split(" "))).toMatchObject({ code: 0 });
    expect(await stranger.settings(nodes.queues)).toMatchObject({ "retention.ms": "-1" });
    await stranger.set(nodes.queues, FIT);
    await nodes.open();
  });

  it("are refused when payloads would go too soon, and taken when they stay longer", async () => {
    const nodes = nodesAt();
    await stranger.create(nodes.payloads, { ...FIT, "retention.ms": String(RETENTION_MS - 1) });
    expect(await nodes.refusal()).toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining(`retention.ms is ${RETENTION_MS - 1} instead of ${RETENTION_MS}`),
    });
    await stranger.set(nodes.payloads, { ...FIT, "retention.ms": String(RETENTION_MS + 1) });
    await nodes.open();
  });

  it("are refused with more than one partition, or fewer replicas than asked for", async () => {
    const nodes = nodesAt({ replication: 2 });
    await stranger.create(nodes.queues, { ...FIT, "min.insync.replicas": "1" }, 2);
    const { code, message } = await nodes.refusal();
    expect(code).toBe("misconfigured");
    expect(message).toContain("it has 2 partitions instead of 1");
    expect(message).toContain("it has a replication factor of 1 instead of 2");
  });

  it.each([
    [2, 2],
    [3, 2],
    [5, 4],
  ])(
    "that shall have %i replicas are refused when fewer than %i need what is written",
    async (replication, min) => {
      const nodes = nodesAt({ replication });
      await stranger.create(nodes.queues, { ...FIT, "min.insync.replicas": "1" });
      expect((await nodes.refusal()).message).toContain(`min.insync.replicas is 1 instead of ${min}`);
    },
  );

  it("are not made on fewer brokers than there shall be replicas", async () => {
    const nodes = nodesAt({ replication: 3 });
    expect(await nodes.refusal()).toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining("cannot have 3 replicas: the cluster has fewer brokers"),
    });
  });
});

describe("a cluster that cannot be reached", () => {
  it("is named with each broker and its reason", async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const brokers = [`127.0.0.1:${port}`, "127.0.0.1:1", "no-such-host.invalid:9092"];
    const nodes = nodesAt({ brokers, timings: { connect_ms: 300, request_ms: 300, open_ms: 1_000 } });
    const { code, message, retryable } = await nodes.refusal();
    expect({ code, retryable }).toEqual({ code: "unavailable", retryable: true });
    expect(message).toContain(`127.0.0.1:${port}: `);
    expect(message).toContain("127.0.0.1:1: nobody listens there");
    expect(message).toMatch(/no-such-host.invalid:9092: (there is no such host|the host's name)/);
    await new Promise((resolve) => silent.close(resolve));
  });

  it.each([
    ["a size of nothing", [0, 0, 0, 0]],
    ["a size that is no size", [0xff, 0xfd, 0x01, 0xff]],
    ["more than any answer", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ])("and in which something else answers, with %s, is told", async (_, greeting) => {
    const sockets = new Set<Socket>();
    const other = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.once("data", () => socket.write(Buffer.from(greeting)));
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const broker = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const refusal = await nodesAt({ brokers: [broker], timings: { open_ms: 300 } }).refusal();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => other.close(resolve));
    expect(refusal).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining(`${broker}: what answers there does not speak Kafka's protocol`),
    });
  });

  it("is reached through the one broker that answers", async () => {
    const nodes = nodesAt({ brokers: ["127.0.0.1:1", ...kafka.brokers] });
    const { log } = await nodes.open();
    await appendAll(log, numbered(3));
    expect(texts(await readAll({}, log))).toEqual(numbered(3));
  });

  it("is reached by an IPv6 address", async () => {
    const [host, port] = kafka.brokers[0]?.split(":") ?? [];
    const door = createServer((socket) => {
      const broker = connect({ host, port: Number(port) });
      socket.pipe(broker).pipe(socket);
      for (const end of [socket, broker]) end.on("error", () => end.destroy());
    });
    await new Promise<void>((resolve) => door.listen(0, "::1", resolve));
    const address = door.address();
    const at = typeof address === "object" ? address?.port : undefined;
    const { log } = await nodesAt({ brokers: [`[::1]:${at}`] }).open();
    await appendAll(log, numbered(3));
    await log.close();
    await new Promise((resolve) => door.close(resolve));
  });

  it.each([[[]], [["localhost"]], [["localhost:0"]], [["kafka://localhost:9092"]]])(
    "is not even looked for as %j",
    async (brokers) => {
      expect(await nodesAt({ brokers }).refusal()).toMatchObject({
        code: "misconfigured",
        message: expect.stringContaining("(log, --log)"),
      });
    },
  );
});

describe("passwords and certificates", () => {
  const ann = { username: "ann", password: "right" } as const;
  const trusted = () => ({ tls: { ca: kafka.ca } });

  it.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "a wrong password is told, by %s",
    async (mechanism) => {
      const nodes = nodesAt({ brokers: kafka.at("sasl"), sasl: { ...ann, password: "wrong", mechanism } });
      expect(await nodes.refusal()).toMatchObject({
        code: "misconfigured",
        message: expect.stringMatching(/Kafka refuses the credentials \(kafka\.sasl\)/),
      });
    },
  );

  it("the topics are used over TLS, and with each kind of password", async () => {
    const topics = nodesAt();
    await allow("ann", topics.queues.replace(".queues", ""), [
      "CREATE",
      "DESCRIBE",
      "DESCRIBE_CONFIGS",
      "READ",
      "WRITE",
    ]);
    const prefix = { topics: topics.queues.replace(".queues", "") };
    const ways = [
      { ...trusted(), brokers: kafka.at("tls") },
      ...(["plain", "scram-sha-256", "scram-sha-512"] as const).map((mechanism) => ({
        ...trusted(),
        brokers: kafka.at("sasl_tls"),
        sasl: { ...ann, mechanism },
      })),
    ];
    for (const [index, way] of ways.entries()) {
      const { log } = await nodesAt({ ...prefix, ...way }).open();
      await appendAll(log, [`way ${index}`]);
      expect(texts(await readAll({}, log)).at(-1)).toBe(`way ${index}`);
    }
  });

  it("a certificate that nobody vouches for is told", async () => {
    expect(await nodesAt({ brokers: kafka.at("tls"), tls: true }).refusal()).toMatchObject({
      code: "misconfigured",
      message: expect.stringContaining("no TLS with Kafka (kafka.tls)"),
    });
  });

  it("a broker without TLS, where it is asked for, is told", async () => {
    expect(await nodesAt({ tls: true }).refusal()).toMatchObject({
      message: expect.stringContaining("tls"),
    });
  });

  it.each(["tls", "sasl"] as const)(
    "a broker that wants %s, and is not given it, is told",
    async (listener) => {
      const timings = { connect_ms: 500, request_ms: 500, open_ms: 1_000 };
      expect(await nodesAt({ brokers: kafka.at(listener), timings }).refusal()).toMatchObject({
        code: "unavailable",
        message: expect.stringContaining("does the broker want TLS (kafka.tls) or a password (kafka.sasl)?"),
      });
    },
  );
});

async function allow(
  user: string,
  prefix: string,
  operations: readonly (keyof typeof kafkajs.AclOperationTypes)[],
): Promise<void> {
  await stranger.admin.createAcls({
    acl: operations.map((operation) => ({
      resourceType: kafkajs.AclResourceTypes.TOPIC,
      resourceName: prefix,
      resourcePatternType: kafkajs.ResourcePatternTypes.PREFIXED,
      principal: `User:${user}`,
      host: "*",
      operation: kafkajs.AclOperationTypes[operation],
      permissionType: kafkajs.AclPermissionTypes.ALLOW,
    })),
  });
}

describe("rights", () => {
  it("are told by operation and topic, one after the other, until all are there", async () => {
    const nodes = nodesAt({
      brokers: kafka.at("sasl"),
      sasl: { mechanism: "plain", username: "bob", password: "bobs" },
    });
    const prefix = nodes.queues.replace(".queues", "");
    const rights = [
      ["DESCRIBE", "Describe"],
      ["CREATE", "Create"],
      ["DESCRIBE_CONFIGS", "DescribeConfigs"],
      ["WRITE", "Write"],
      ["READ", "Read"],
    ] as const;
    for (const [right, name] of rights) {
      expect(await nodes.refusal()).toMatchObject({
        code: "misconfigured",
        retryable: true,
        message: expect.stringMatching(
          `the operation ${name} on the topic ${nodes.queues}. Grant it: kafka-acls.sh --bootstrap-server ` +
            `${kafka.at("sasl")[0]} --add --allow-principal User:bob --operation ${name} --topic ${nodes.queues}$`,
        ),
      });
      await allow("bob", prefix, [right]);
    }
    const { log } = await nodes.open();
    const writer = log.openWriter();
    const payload = { key: { session: 1n, sequence: 1, attempt: 0 }, bytes: Buffer.from("bob's") };
    await writer.append({ key: "orders", value: Buffer.from("by bob") }, { payload });
    expect(texts(await readAll({}, log))).toEqual(["by bob"]);
    expect(await log.getPayload(payload.key)).toEqual(new Uint8Array(payload.bytes));
  });
});

describe("the spool", () => {
  it("is one process's", async () => {
    const nodes = nodesAt();
    const { log } = await nodes.open();
    expect(await nodes.refusal()).toMatchObject({ code: "in_use" });
    await log.close();
    await nodes.open();
  });
});

describe("kafkajs", () => {
  it("says nothing of its own", async () => {
    const nodes = nodesAt();
    const { options } = await nodes.open({ node: "first" });
    const program = new Program("packages/ticket-log/test/programs/kafka-quiet.ts", [
      JSON.stringify({
        brokers: options.brokers,
        topics: options.topics,
        directory: `${options.spool.directory}-quiet`,
      }),
    ]);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.output).toBe("done\n");
  });
});
