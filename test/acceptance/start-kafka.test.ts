// `npm run start:kafka`: what it shows is typed, and does what it says; and it leaves nothing behind.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { delimiter, join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openBrowser, openPerson } from "../e2e/browser.ts";
import { eventually } from "../support/eventually.ts";
import { Program } from "../support/program.ts";
import { asShown, indentedCommands, type Shown } from "../support/readme.ts";

const root = resolve(import.meta.dirname, "../..");

/** Seven ports: away from those of the other demo, which may run beside this, and below those that systems lend to
 * outgoing connections. */
const FROM = 8_700;
const PORTS = Array.from({ length: 7 }, (_, index) => FROM + index);

/** Types the commands in one shell; returns what each printed. */
async function typed(commands: readonly string[]): Promise<string[]> {
  const end = (index: number) => `-- end ${index} --`;
  const script = commands.map((command, index) => `${command}\necho\necho '${end(index)}'\n`).join("");
  const env = { ...process.env, PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter) };
  const printed = await new Promise<string>((done) =>
    // The commands are on the path.
    execFile("bash", ["-c", `npx() { "$@"; }\n${script}`], { env, timeout: 60_000 }, (_error, out) =>
      done(out),
    ),
  );
  return commands.map((_, index) => {
    const before = index === 0 ? 0 : printed.indexOf(end(index - 1)) + end(index - 1).length + 1;
    // The empty line is ours, unless what was printed ended in the middle of one.
    return printed.slice(before, printed.indexOf(end(index)) - 1);
  });
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("connect", () => socket.destroy() && done(true));
    socket.once("error", () => done(false));
  });
}

async function expectNothingLeft(broker: string): Promise<void> {
  const ports = [...PORTS, Number(broker.split(":")[1])];
  // Kafka is cleaned up by a process of its own, which outlives the program for a moment.
  await eventually(async () => {
    const open = await Promise.all(ports.map(isOpen));
    expect(ports.filter((_, index) => open[index])).toEqual([]);
  });
}

function start(): Program {
  const program = new Program("examples/box-office/src/start-kafka.ts", ["--ports-from", `${FROM}`]);
  onTestFinished(() => program.stop().then(() => undefined));
  return program;
}

test("the commands that npm run start:kafka shows print what it says, and Ctrl-C leaves nothing behind", {
  timeout: 180_000,
}, async () => {
  const program = start();
  await program.says(/The box office is open[\s\S]*every promise/);
  const [, broker = ""] = await program.says(/(127\.0\.0\.1:\d+) +Kafka/);
  // The last is the burst, which has tests of its own.
  const shown: Shown[] = indentedCommands(program.stdout).slice(0, -1);
  expect(shown.length).toBeGreaterThan(8);
  const printed = await typed(shown.map(({ command }) => command));
  for (const [index, { command, output }] of shown.entries()) {
    const said = printed[index] ?? "";
    if (!asShown(output, said)) expect(said, `$ ${command}`).toBe(output.join("\n"));
  }
  await program.says(/node \d+ has ended \(SIGKILL\)/);
  expect(await program.stop("SIGINT")).toEqual({ code: 0, signal: null });
  await expectNothingLeft(broker);
});

test("the page keeps a place, and says so, when one of the nodes is killed", {
  timeout: 120_000,
}, async () => {
  const program = start();
  const [, url = ""] = await program.says(/open (http:\S+) in a browser/);
  const [, pid] = await program.says(/node-1: .* process (\d+)/);
  const set = (mode: string) =>
    `npx usher queue set purchases --url http://localhost:${FROM + 3} --mode ${mode}`;
  await typed([`${set("paused")} --reason "a test"`]);
  const { page } = await openPerson(await openBrowser());
  await page.goto(url);
  await page.click("text=Buy a seat");
  await page.waitForSelector("text=Ticket 1");
  process.kill(Number(pid), "SIGKILL");
  await page.waitForSelector("text=1 of Usher’s 2 nodes can be reached");
  expect(await page.textContent("#purchase .place b")).toBe("1");
  await typed([`${set("auto")} --reason "a test"`]);
  await page.waitForSelector("text=Seat 1 is yours");
  expect(await page.textContent("#purchase .ticket")).toBe("Ticket 1");
});

test("Ctrl-C while it starts, and a kill once it runs, leave nothing behind either", {
  timeout: 120_000,
}, async () => {
  const early = start();
  await early.says(/Starting a Kafka/);
  expect(await early.stop("SIGINT")).toEqual({ code: 0, signal: null });
  const program = start();
  const [, broker = ""] = await program.says(/(127\.0\.0\.1:\d+) +Kafka/);
  await program.stop("SIGKILL");
  await expectNothingLeft(broker);
});

test("a second Ctrl-C does not wait for what is under way", { timeout: 120_000 }, async () => {
  const program = start();
  const [, broker = ""] = await program.says(/(127\.0\.0\.1:\d+) +Kafka/);
  await program.says(/every promise/);
  // A purchase that does not come to its end holds a node for its whole grace.
  const socket = createConnection({ port: FROM, host: "localhost" });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.write("POST /api/purchases HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{");
  // Answered after that one was read.
  for (let times = 0; times < 3; times++) await (await fetch(`http://localhost:${FROM}/api/show`)).text();
  program.kill("SIGINT");
  const log = () => readFile(join(root, `.usher/demo-kafka-${FROM}/node-1/usher.log`), "utf8");
  await eventually(async () => expect(await log()).toContain("letting what is under way end"));
  // Within half a second it counts as the same one.
  await eventually(async () => {
    program.kill("SIGINT");
    expect(await log()).toContain("again: stopping at once");
  });
  expect(await program.ended).toEqual({ code: 0, signal: null });
  await expectNothingLeft(broker);
});
