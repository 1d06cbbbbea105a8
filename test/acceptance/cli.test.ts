// The program `usher` as its users meet it: processes, exit codes, what is printed.

import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Program } from "../support/program.ts";
import { Gate, type Service, startService } from "../support/service.ts";
import { runUsher, startUsher, type Usher, usherProgram } from "../support/usher.ts";

let directory: string;
let gate: Gate;
let app: Service;
const running: { stop(): Promise<unknown> }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-cli-"));
  gate = new Gate();
  app = await startService(gate.answer);
});
afterEach(async () => {
  gate.open();
  for (const each of running.splice(0).reverse()) await each.stop();
  await app.stop();
  await rm(directory, { recursive: true });
});

function kept<T extends { stop(): Promise<unknown> }>(each: T): T {
  running.push(each);
  return each;
}

/** `usher serve --to <the app>` on free ports, in the test's directory. */
async function protect(...args: string[]): Promise<{ program: Program; url: string }> {
  const flags = [
    "serve",
    "--to",
    app.url,
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--grpc-port",
    "0",
    "--metrics-port",
    "0",
    ...args,
  ];
  return serving(usherProgram(flags, { cwd: directory }));
}

async function serving(started: Program): Promise<{ program: Program; url: string }> {
  const program = kept(started);
  await program.says(/usher: ready\n/);
  return { program, url: gatewayOf(program) };
}

function gatewayOf(program: Program): string {
  return /gateway +(http:\S+)/.exec(program.output)![1]!;
}

const buy = (url: string, body = "{}"): Promise<Response> =>
  fetch(`${url}/orders`, { method: "POST", body, redirect: "manual" });

/** Takes the one place that there is; resolves when the app has the request, and its answer is to come. */
async function occupy(url: string): Promise<{ answer: Promise<Response> }> {
  const before = app.seen.length;
  const answer = buy(url, "first");
  // Some tests kill what would answer it.
  answer.catch(() => {});
  await eventually(() => expect(app.seen.length).toBe(before + 1));
  return { answer };
}

async function statusAfter(location: string, url: string, status: number): Promise<Response> {
  return eventually(async () => {
    const answer = await fetch(new URL(location, url), { redirect: "manual" });
    expect(answer.status).toBe(status);
    return answer;
  });
}

describe("usher serve --to", () => {
  test("protects an app without a file: straight through, then a ticket, its turn, and the app's own answer", async () => {
    const { url } = await protect("--max-active", "1", "--hold", "0s");
    const first = await occupy(url);
    const second = await buy(url, "second");
    expect(second.status).toBe(202);
    expect(app.seen).toHaveLength(1);
    gate.open();
    expect(await (await first.answer).json()).toMatchObject({ target: "/orders", body: "first" });
    const location = second.headers.get("location")!;
    const answered = await statusAfter(location, url, 303);
    const response = await fetch(new URL(answered.headers.get("location")!, url));
    expect(await response.json()).toMatchObject({ target: "/orders", body: "second" });
    expect(response.headers.get("usher-ticket")).toBe("1");
    expect(app.mostInFlight).toBe(1);
  });

  test("prints the file that it stands for, and that file, saved and served, does the same", async () => {
    const flags = await protect("--max-active", "1", "--hold", "0s");
    await flags.program.says(/timeout: 30s\n/);
    await writeFile(join(directory, "usher.yaml"), flags.program.stdout);
    await expectOneAtATime(flags.url);
    expect(await flags.program.stop()).toEqual({ code: 0, signal: null });
    // The same data: were the file another configuration, the difference to the log would be told.
    const file = await serving(usherProgram(["serve"], { cwd: directory }));
    expect(file.program.output).not.toMatch(/in the log/);
    expect(file.program.stdout).toBe("");
    await expectOneAtATime(file.url);
  });

  async function expectOneAtATime(url: string): Promise<void> {
    const first = await occupy(url);
    const second = await buy(url);
    expect(second.status).toBe(202);
    gate.release();
    expect((await first.answer).status).toBe(200);
    await eventually(() => expect(app.inFlight).toBe(1));
    gate.release();
    await statusAfter(second.headers.get("location")!, url, 303);
  }
});

describe("queues that the log has already", () => {
  const file = (max_active: number): string => `
listen: { host: 127.0.0.1, port: 0, grpc_port: 0, metrics_port: 0 }
queues: { default: { kind: defer, limit: { max_active: ${max_active} }, max_wait: 30m } }
`;
  const keys = ["--keys", "data/usher.keys.json"];

  async function liveLimit(url: string): Promise<string> {
    const { stdout } = await runUsher(["queue", "show", "default", "--url", url, ...keys], {
      cwd: directory,
    });
    return /^limit\.max_active +(.*)$/m.exec(stdout)![1]!;
  }

  test("are changed by flags, which are the operator's command", async () => {
    await (await protect("--max-active", "1")).program.stop();
    const { program, url } = await protect("--max-active", "7");
    expect(program.output).toMatch(/queue default: limit\.max_active changed from 1 to 7\n/);
    expect(await liveLimit(url)).toBe("7");
  });

  test("are not changed by a file: the difference is told, and applied with --apply", async () => {
    await (await protect("--max-active", "1")).program.stop();
    await writeFile(join(directory, "usher.yaml"), file(9));
    const told = await serving(usherProgram(["serve"], { cwd: directory }));
    expect(told.program.output).toMatch(
      /queue default: limit\.max_active is 1 in the log and 9 in usher\.yaml; the log counts/,
    );
    // What is announced is what holds.
    expect(told.program.output).toMatch(/queue +default \(defer\): 1 at once\n/);
    expect(await liveLimit(told.url)).toBe("1");
    await told.program.stop();
    const applied = await serving(usherProgram(["serve", "--apply"], { cwd: directory }));
    expect(applied.program.output).toMatch(/queue default: limit\.max_active changed from 1 to 9\n/);
    expect(await liveLimit(applied.url)).toBe("9");
  });
});

describe("what keeps usher serve from starting is told in one line, with exit code 1", () => {
  const config = "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }";

  async function refused(args: string[]): Promise<string> {
    await writeFile(join(directory, "usher.yaml"), config);
    const defaults = ["--host", "127.0.0.1", "--port", "0", "--grpc-port", "0", "--metrics-port", "0"];
    const { code, stdout, stderr } = await runUsher(["serve", ...defaults, ...args], { cwd: directory });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trimEnd()).not.toContain("\n");
    return stderr.trimEnd();
  }

  test.each([["--port"], ["--grpc-port"], ["--metrics-port"]])("a port in use (%s)", async (flag) => {
    const server = createServer().listen(0, "127.0.0.1");
    await eventually(() => expect(server.listening).toBe(true));
    const { port } = server.address() as AddressInfo;
    const line = await refused([flag, String(port)]);
    expect(line).toContain(`port ${port}`);
    expect(line).toContain("in use");
    expect(line).toContain(flag);
    server.close();
    // Nothing of the failed start is left: the same data serves at once.
    await startUsher({ config, data: join(directory, "data") }).then((usher) => usher.stop());
  });

  test("data that another process has open", async () => {
    const usher = kept(await startUsher({ config }));
    const line = await refused(["--data", usher.data]);
    expect(line).toContain(usher.data);
    expect(line).toMatch(/another process has it open/);
    // The first is none the worse.
    expect((await fetch(`${usher.gatewayUrl}/readyz`)).status).toBe(200);
  });

  test("keys that cannot be read", async () => {
    await writeFile(join(directory, "keys.json"), "not keys");
    expect(await refused(["--keys", "keys.json"])).toContain(join(directory, "keys.json"));
  });

  test("keys that are gone, while the tickets made with them are there", async () => {
    const data = join(directory, "data");
    await startUsher({ config, data }).then((usher) => usher.stop());
    await rm(join(data, "usher.keys.json"));
    expect(await refused([])).toMatch(/usher\.keys\.json: there is no keys' file here/);
    await expect(access(join(data, "usher.keys.json"))).rejects.toThrow("ENOENT");
  });

  test("a data directory that is a file", async () => {
    await writeFile(join(directory, "data"), "");
    expect(await refused([])).toContain(join(directory, "data"));
  });
});

describe("usher watch", () => {
  let usher: Usher;
  beforeEach(async () => {
    usher = kept(await startUsher({ config: oneAtATime(app.url) }));
  });

  test("shows a place moving, live, up to the answer", async () => {
    const [, , third] = await line(3);
    const watch = kept(usherProgram(["watch", third]));
    await watch.says(/^ticket 3 in orders: position 2, /m);
    // What went straight through ends, the first ticket's request is sent and ends, the second one's turn has come.
    gate.release();
    await eventually(() => expect(app.seen).toHaveLength(2));
    gate.release();
    await watch.says(/^ticket 3 in orders: position 1, /m);
    gate.open();
    expect((await watch.ended).code).toBe(0);
    expect(watch.stdout).toMatch(/^ticket 3 in orders: answered\n$/m);
    // A line a change, none twice.
    const lines = watch.stdout.trimEnd().split("\n");
    expect(new Set(lines).size).toBe(lines.length);
  });

  test("goes on after the node was killed and started again", async () => {
    const [, second] = await line(2);
    const watch = kept(usherProgram(["watch", second]));
    await watch.says(/position 1/);
    await usher.kill();
    await watch.says(/again in/);
    gate.open();
    kept(await startUsher({ config: oneAtATime(app.url), data: usher.data, ports: usher.ports }));
    expect((await watch.ended).code).toBe(0);
    expect(watch.stdout).toMatch(/^ticket 2 in orders: answered\n$/m);
  });

  test("ends with another code when the ticket was given up", async () => {
    const [, second] = await line(2);
    const token = second.split("/").at(-1)!;
    const watch = kept(usherProgram(["watch", token, "--url", usher.gatewayUrl]));
    await watch.says(/position 1/);
    await fetch(second, { method: "DELETE" });
    expect((await watch.ended).code).toBe(5);
    expect(watch.stdout).toMatch(/^ticket 2 in orders: left the line\n$/m);
  });

  test("is stopped by Ctrl-C, and the ticket goes on waiting", async () => {
    const [, second] = await line(2);
    const watch = kept(usherProgram(["watch", second]));
    await watch.says(/position 1/);
    expect(await watch.stop("SIGINT")).toEqual({ code: 130, signal: null });
    expect(await (await fetch(second)).json()).toMatchObject({ ticket: { number: 2, position: 1 } });
  });

  test("says in one line that a ticket is none, or that nobody is there", async () => {
    const forged = await runUsher(["watch", "AQforged", "--url", usher.gatewayUrl]);
    expect(forged.code).toBe(1);
    expect(forged.stderr).toMatch(/^usher: http:.*\n$/);
    expect(forged.stderr).not.toContain("AQforged");
    await usher.kill();
    const nobody = await runUsher(["watch", "AQforged", "--url", usher.gatewayUrl]);
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toMatch(/^usher: cannot reach http:.*is usher serve running there\?.*\n$/);
  });

  /** Takes the app's one place, and tickets behind it; returns their addresses. The first one's turn has come, for
   * the log has no record of what went straight through; it is sent when there is room. */
  async function line(length: 2 | 3): Promise<[string, string, string]> {
    await occupy(usher.gatewayUrl);
    const locations: string[] = [];
    for (let at = 0; at < length; at++) {
      const answer = await buy(usher.gatewayUrl);
      expect(answer.status).toBe(202);
      locations.push(new URL(answer.headers.get("location")!, usher.gatewayUrl).href);
    }
    return [locations[0]!, locations[1]!, locations[2] ?? ""];
  }
});

describe("usher queue", () => {
  test("lists, shows and changes queues with an API key, and without one only under --demo", async () => {
    const usher = kept(await startUsher({ config: oneAtATime(app.url) }));
    const url = ["--url", usher.gatewayUrl];
    const key = [...url, "--keys", join(usher.data, "usher.keys.json")];

    const none = await runUsher(["queue", "list", ...url]);
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/needs an API key.*--key, --keys or USHER_API_KEY/);
    const list = await runUsher(["queue", "list", ...url], { env: { USHER_API_KEY: usher.apiKey } });
    expect(list.stdout).toMatch(/^orders +defer +auto +none +0 of 1 /m);

    const set = await runUsher([
      ...["queue", "set", "orders", "--reason", "the app is slow today", ...key],
      ...[
        "--mode",
        "paused",
        "--rate",
        "2.5",
        "--max-active",
        "none",
        "--max-wait",
        "1h30m",
        "--notice",
        "Soon",
      ],
    ]);
    expect(set.code).toBe(0);
    expect(set.stderr).toMatch(/^usher: http:\S+: in effect as revision 2, \d+ ms after it was asked for\n$/);
    const show = await runUsher(["queue", "show", "orders", "--key", usher.apiKey, ...url]);
    expect(show.stdout).toBe(set.stdout);
    for (const line of [
      /^mode +paused$/m,
      /^limit\.rate_per_second +2\.5$/m,
      /^limit\.max_active +none$/m,
      /^max_wait +1h30m$/m,
      /^notice +"Soon"$/m,
      /^revision +2 /m,
    ])
      expect(show.stdout).toMatch(line);

    const neither = await runUsher(["queue", "set", "orders", "--reason", "r", "--rate", "none", ...key]);
    expect(neither.code).toBe(1);
    expect(neither.stderr).toMatch(/needs at least one/);
    expect((await runUsher(["queue", "show", "nobody", ...key])).stderr).toMatch(/no queue "nobody"/);

    await usher.stop();
    const demo = kept(await startUsher({ config: oneAtATime(app.url), demo: true }));
    expect((await runUsher(["queue", "list", "--url", demo.gatewayUrl])).stdout).toMatch(/^orders /m);
  });
});

describe("SIGTERM", () => {
  test("lets what is under way end, takes nothing new, and exits with 0", async () => {
    const usher = await startUsher({ config: oneAtATime(app.url), drains: true });
    const first = await occupy(usher.gatewayUrl);
    const ended = usher.kill("SIGTERM");
    await eventually(() => expect(refusesConnections(usher.ports.gateway)).resolves.toBe(true));
    expect(usher.output()).not.toContain("stopped");
    gate.open();
    const answer = await first.answer;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ body: "first" });
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(usher.output()).toMatch(/stopped\n$/);
    await usher.stop();
  });

  test("a second one ends it at once, with what is under way", async () => {
    const usher = await startUsher({ config: oneAtATime(app.url), drains: true });
    const first = await occupy(usher.gatewayUrl);
    void usher.kill("SIGTERM");
    await eventually(() => expect(usher.output()).toMatch(/SIGTERM: letting/));
    // One signal that comes twice within a moment is one: wait until it is another.
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await usher.kill("SIGTERM")).toEqual({ code: 1, signal: null });
    await expect(first.answer).rejects.toThrow();
    await usher.stop();
  });

  test("what was waiting is there again when the node is", async () => {
    const usher = await startUsher({ config: oneAtATime(app.url), drains: true });
    const first = await occupy(usher.gatewayUrl);
    const second = await buy(usher.gatewayUrl, "second");
    const ended = usher.kill("SIGTERM");
    // From then on nothing that waits is sent.
    await eventually(() => expect(usher.output()).toMatch(/SIGTERM: letting/));
    gate.release();
    expect((await first.answer).status).toBe(200);
    expect(await ended).toEqual({ code: 0, signal: null });
    gate.open();
    const again = kept(
      await startUsher({ config: oneAtATime(app.url), data: usher.data, ports: usher.ports }),
    );
    await statusAfter(second.headers.get("location")!, again.gatewayUrl, 303);
    expect(app.seen.filter(({ body }) => body === "second")).toHaveLength(1);
    await usher.stop();
  });

  async function refusesConnections(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(false);
      });
      socket.once("error", () => resolve(true));
    });
  }
});

test("npx usher starts the program on the checkout's own Node", async () => {
  const program = new Program("services/usher/bin/usher.mjs", ["--help"]);
  expect((await program.ended).code).toBe(0);
  expect(program.stdout).toMatch(/^Usage: usher /);
});

function oneAtATime(url: string): string {
  return `
services: { app: { url: ${url} } }
queues: { orders: { kind: defer, limit: { max_active: 1 }, max_wait: 10m } }
routes: [{ match: /*, service: app, queue: orders, hold: 0s, timeout: 30s }]
`;
}
