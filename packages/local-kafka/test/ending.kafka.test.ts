// What is left when it ends, by whatever cause; and what is said where it cannot begin.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Program } from "../../../test/support/program.ts";
import { startKafka } from "../src/index.ts";
import { freePorts } from "../src/ports.ts";
import { kcat } from "./kcat.ts";
import { lives } from "./lives.ts";

const PACKAGE = dirname(import.meta.dirname);
const MAIN = "packages/local-kafka/src/main.ts";

const run = promisify(execFile);

beforeEach(() => {
  vi.stubEnv("KAFKA_BROKERS", undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("nothing is left of a Kafka", () => {
  test("whose starter is killed", async () => {
    const starter = new Program("packages/local-kafka/test/programs/starter.ts");
    const [line] = await starter.says(/^\{.*\}$/m);
    const { pid, directory } = JSON.parse(line) as { pid: number; directory: string };
    expect([lives(pid), existsSync(directory)]).toEqual([true, true]);
    // Resolves when nobody holds the starter's output any more: the guardian does until it has cleaned up.
    expect(await starter.stop("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
    expect([lives(pid), existsSync(directory)]).toEqual([false, false]);
  });

  test("whose guardian is killed", async () => {
    await using kafka = await startKafka();
    const broker = kafka.broker(1);
    const status = await readFile(`/proc/${broker.pid}/status`, "utf8");
    process.kill(Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]), "SIGKILL");
    await broker.ended;
    expect(existsSync(dirname(broker.log))).toBe(false);
    await expect(broker.start()).rejects.toThrow("its guardian was killed");
  });

  test("that cannot start, but for what its log says in the error", async () => {
    const folder = await mkdtemp(join(tmpdir(), "usher-kafka-test-"));
    await expect(startKafka({ folder, properties: { "num.io.threads": "many" } })).rejects.toThrow(
      "num.io.threads",
    );
    await expect(startKafka({ folder, jvm: ["-XX:NoSuchFlag"] })).rejects.toThrow(
      /^Kafka broker 1 ended.*Unrecognized VM option 'NoSuchFlag'/s,
    );
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
    await expect(startKafka({ folder })).rejects.toThrow(`${folder} must be a folder`);
  });
});

describe("the program", () => {
  test("starts a Kafka at the port, and ends it on Ctrl-C", async () => {
    const [port = 0] = await freePorts(1);
    const program = new Program(MAIN, ["--port", `${port}`]);
    await program.says(new RegExp(`Kafka is at 127\\.0\\.0\\.1:${port}\\. Ctrl-C ends it`));
    expect(await kcat(`127.0.0.1:${port}`, ["-L"])).toContain("1 brokers:");
    expect(await program.stop("SIGINT")).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe("");
  });

  test("says that the port is taken", async () => {
    const taken = createServer();
    const [port = 0] = await freePorts(1);
    await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
    const program = new Program(MAIN, ["--port", `${port}`]);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    taken.close();
    expect(program.stderr).toBe(`usher: port ${port}, meant for Kafka broker 1, is in use; name another\n`);
  });

  test.each([
    ["--brokers", "2"],
    ["--port", "x"],
    ["--many", "1"],
  ])("refuses %s %s", async (...args) => {
    const program = new Program(MAIN, args);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(/^usher: .*--(brokers|port|many).*usage: /s);
  });

  test("says in one line what to install where there is no java", async () => {
    const program = new Program(MAIN, [], { env: { PATH: "", JAVA_HOME: undefined } });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe(
      "usher: java, which runs Kafka, is not on PATH; install Java 17 or newer. On Debian: apt-get install openjdk-17-jre-headless maven\n",
    );
  });
});

describe("brokers that KAFKA_BROKERS names", () => {
  beforeEach(() => {
    vi.stubEnv("KAFKA_BROKERS", "one.example:9092, two.example:9092");
    vi.stubEnv("PATH", "");
  });

  test("are the cluster, and nothing is started", async () => {
    await using kafka = await startKafka({ brokers: 3 });
    expect(kafka.brokers).toEqual(["one.example:9092", "two.example:9092"]);
    expect(kafka.at("plain")).toEqual(kafka.brokers);
    expect(kafka.inside).toEqual(kafka.brokers);
    expect(kafka.members).toEqual([]);
  });

  test("are not to be killed, nor to be had otherwise than they are", async () => {
    const kafka = await startKafka();
    const why = "the brokers that KAFKA_BROKERS names cannot be configured, killed, paused";
    expect(() => kafka.broker(1)).toThrow(why);
    expect(() => kafka.at("tls")).toThrow(why);
    expect(() => kafka.ca).toThrow(why);
    for (const options of [{ tls: true }, { proxied: true }, { saslUsers: { ann: "x" } }, { properties: {} }])
      await expect(startKafka(options)).rejects.toThrow(why);
    const program = new Program(MAIN);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe(
      "usher: KAFKA_BROKERS names brokers that run already; unset it to start others\n",
    );
  });
});

describe("Kafka's jars", () => {
  let checkout: string;
  let program: string;

  beforeEach(async () => {
    checkout = await mkdtemp(join(tmpdir(), "usher-kafka-test-"));
    program = join(checkout, "packages/local-kafka/src/libraries.ts");
    await cp(PACKAGE, dirname(dirname(program)), { recursive: true });
  });
  afterEach(async () => {
    await rm(checkout, { recursive: true });
  });

  test("are fetched whole, also by two at once, and then no more", async () => {
    const both = await Promise.all([0, 1].map(() => run(process.execPath, [program])));
    const folder = join(checkout, ".usher/kafka-4.1.1/libs");
    for (const { stdout, stderr } of both) {
      expect(stdout).toBe(`${folder}\n`);
      expect(stderr).toBe("usher: fetching Kafka 4.1.1 with Maven, 54 MB to download ...\n");
    }
    expect(await readdir(folder)).toContain("kafka_2.13-4.1.1.jar");
    expect(await readdir(join(checkout, ".usher"))).toEqual(["kafka-4.1.1"]);
    const third = await run(process.execPath, [program], { env: { PATH: "" } });
    expect(third).toEqual({ stdout: `${folder}\n`, stderr: "" });
    const home = { env: { KAFKA_HOME: dirname(folder), PATH: "" } };
    expect(await run(process.execPath, [join(PACKAGE, "src/libraries.ts")], home)).toEqual(third);
  });

  test("are asked for in one line where there is nothing to fetch them with", async () => {
    await expect(run(process.execPath, [program], { env: { PATH: "" } })).rejects.toMatchObject({
      code: 1,
      stderr:
        "usher: mvn, which fetches Kafka, is not on PATH; install Maven, or set KAFKA_HOME to an unpacked Kafka. On Debian: apt-get install openjdk-17-jre-headless maven\n",
    });
    await expect(
      run(process.execPath, [program], { env: { PATH: "", KAFKA_HOME: checkout } }),
    ).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^usher: KAFKA_HOME is .* no .*libs; set/),
    });
  });
});
