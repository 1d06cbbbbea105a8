// compose.yaml, as far as it can be tried without containers: it is well-formed, what it copies and starts is there, its
// nodes start with its configuration and commands, and its Kafka's settings are ones that a broker knows.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type KafkaCluster, startKafka } from "@usher/local-kafka";
import { parseConfig } from "@usher/usher";
import { ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { eventually } from "../support/eventually.ts";
import { Program } from "../support/program.ts";
import { runUsher } from "../support/usher.ts";

const root = resolve(import.meta.dirname, "../..");

interface Service {
  readonly image: string;
  readonly build?: { readonly dockerfile_inline: string };
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

const compose = parse(await readFile(join(root, "compose.yaml"), "utf8"), { merge: true }) as Compose;
const { services } = compose;
const NODES = ["node-1", "node-2"] as const;
const usherYaml = compose.configs["usher.yaml"]?.content ?? "";

function service(name: string): Service {
  const found = services[name];
  if (found === undefined) throw new Error(`compose.yaml has no service ${name}`);
  return found;
}

/** What follows the name of a service's program. */
function argumentsOf(name: string): string[] {
  return [...(service(name).command ?? [])].slice(2);
}

/** The settings of server.properties that an environment stands for, as the image makes them of it. */
function propertiesOf(environment: Readonly<Record<string, string>>): Map<string, string> {
  const settings = Object.entries(environment).filter(([name]) => name.startsWith("KAFKA_"));
  return new Map(
    settings.map(([name, value]) => [name.slice("KAFKA_".length).toLowerCase().replaceAll("_", "."), value]),
  );
}

describe("compose.yaml", () => {
  test("has a Kafka, the shop, the keys and two nodes, from official images", () => {
    expect(Object.keys(services).sort()).toEqual(["kafka", "keys", ...NODES, "shop"]);
    expect(service("kafka").image).toBe("apache/kafka:4.1.1");
    for (const name of ["shop", "keys", ...NODES])
      expect(service(name).build?.dockerfile_inline).toMatch(/^FROM node:24-slim\n/);
  });

  test("opens each port once, and to this machine alone", () => {
    const ports = Object.values(services).flatMap(({ ports = [] }) => ports);
    const outside = ports.map((port) => /^127\.0\.0\.1:(\d+):\d+$/.exec(port)?.[1]);
    expect(outside.sort()).toEqual(["50051", "50052", "8080", "8090", "9000", "9092"]);
  });

  test("copies, mounts and starts what is there", () => {
    const dockerfile = service("shop").build?.dockerfile_inline ?? "";
    const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, sources = ""]) =>
      sources.split(" "),
    );
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const programs = ["shop", ...NODES].map((name) => service(name).command?.[1] ?? "");
    expect(programs.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes);
    for (const volume of mounted) expect(Object.keys(compose.volumes)).toContain(volume.split(":")[0]);
    for (const node of NODES) expect(service(node).depends_on).toHaveProperty("keys");
  });

  test("gives both nodes one configuration, which says where its Kafka and its shop are", () => {
    for (const node of NODES)
      expect(service(node).configs).toEqual([{ source: "usher.yaml", target: "/usher.yaml" }]);
    const config = parseConfig(usherYaml, { name: "usher.yaml", directory: "/" });
    expect(config).toMatchObject({ nodes: 2, keys: "/keys/usher.keys.json", log: { kind: "kafka" } });
    const advertised = propertiesOf(service("kafka").environment ?? {}).get("advertised.listeners");
    expect(config.log).toMatchObject({ brokers: ["kafka:19092"], replication: 1 });
    expect(advertised).toContain("INSIDE://kafka:19092");
    const [, port] = /--port (\d+)/.exec(argumentsOf("shop").join(" ")) ?? ["", "9000"];
    expect(config.services).toEqual([{ name: "shop", url: `http://shop:${port}` }]);
  });
});

describe("what compose.yaml starts", () => {
  let directory: string;
  let kafka: KafkaCluster;
  const properties = propertiesOf(service("kafka").environment ?? {});
  /** What says where a broker is, which the local one has its own words for. */
  const PLACE = /listener|process\.roles|node\.id|quorum\.voters|log\.dirs/;
  const others = [...properties].filter(([name]) => !PLACE.test(name));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "usher-compose-"));
    kafka = await startKafka({ properties: Object.fromEntries(others) });
  });

  afterAll(async () => {
    await kafka?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test("is a Kafka with settings that brokers know, and an id of 128 bits", async () => {
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    const admin = client.admin();
    onTestFinished(() => admin.disconnect());
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.BROKER, name: "1" }],
    });
    const known = new Map(
      resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    expect([...properties.keys()].filter((name) => !known.has(name))).toEqual([]);
    for (const [name, value] of others) expect([name, known.get(name)]).toEqual([name, value]);
    const { CLUSTER_ID = "" } = service("kafka").environment ?? {};
    expect(Buffer.from(CLUSTER_ID, "base64url")).toHaveLength(16);
    expect(CLUSTER_ID).toMatch(/^[\w-]{22}$/);
  });

  test("are a shop and two nodes in front of it, with one file of keys", { timeout: 120_000 }, async () => {
    /** A path of a container, as one of this machine. */
    const here = (text: string): string => text.replaceAll(/\/(keys|data|usher\.yaml)\b/g, `${directory}/$1`);
    await mkdir(join(directory, "keys"));
    await mkdir(join(directory, "data"));
    const [, init = ""] = /main\.ts (init .*)$/.exec(service("keys").command?.[2] ?? "") ?? [];
    expect(await runUsher(here(init).split(" "))).toMatchObject({ code: 0 });

    const shop = start("examples/box-office/src/shop/main.ts", [
      ...argumentsOf("shop").map(here),
      ...["--port", "0"],
    ]);
    const [, shopPort] = await shop.says(/open: http:\/\/0\.0\.0\.0:(\d+)/);
    const config = usherYaml
      .replace("kafka:19092", kafka.brokers.join(","))
      .replace("shop:9000", `127.0.0.1:${shopPort}`);
    await writeFile(join(directory, "usher.yaml"), here(config));
    const urls = await Promise.all(
      NODES.map(async (name) => {
        const own = argumentsOf(name).map(here);
        const data = own.indexOf("--data") + 1;
        const args = own.with(data, `${own[data]}-${name}`);
        const node = start("services/usher/src/main.ts", [
          ...args,
          ...["--port", "0", "--grpc-port", "0", "--metrics-port", "0"],
        ]);
        await node.says(/ready$/m);
        const [, port] = await node.says(/gateway +http:\/\/[^ ]*:(\d+)/);
        return `http://127.0.0.1:${port}`;
      }),
    );
    for (const url of urls) {
      const answer = await eventually(() => fetch(`${url}/api/show`));
      expect(await answer.json()).toMatchObject({ show: "The Last Night" });
    }
    const top = ["top", ...urls.flatMap((url) => ["--url", url])];
    expect(await runUsher([...top, "--keys", join(directory, "keys/usher.keys.json")])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^node-1 [\s\S]*^node-2 /m),
    });
    expect(await runUsher(top)).toMatchObject({ code: 1 });
  });
});

function start(file: string, args: readonly string[]): Program {
  const program = new Program(file, args);
  onTestFinished(() => program.stop().then(() => undefined));
  return program;
}
