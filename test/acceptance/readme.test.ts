// The README, as a newcomer takes it: its commands are typed, and print what it says that they print.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { GO_WAIT_MS, goProgram } from "../support/go.ts";
import { Program } from "../support/program.ts";
import { asShown, indentedCommands, type Shown, shownCommands } from "../support/readme.ts";

const root = resolve(import.meta.dirname, "../..");
const readme = await readFile(join(root, "README.md"), "utf8");
const korean = await readFile(join(root, "README.ko.md"), "utf8");

/** A shell in an empty folder, with the checkout's commands on its path. */
async function openShell(): Promise<(command: string) => Promise<string>> {
  const directory = await mkdtemp(join(tmpdir(), "usher-readme-"));
  const path = [join(root, "node_modules/.bin"), dirname(await goProgram("grpcurl")), process.env.PATH];
  const shell = spawn("bash", {
    cwd: directory,
    env: { ...process.env, PATH: path.join(delimiter) },
    stdio: ["pipe", "pipe", "ignore"],
  });
  onTestFinished(async () => {
    shell.kill();
    await rm(directory, { recursive: true, force: true });
  });
  // The commands are on the path, and this folder has no package in which npx could find them.
  shell.stdin.write('npx() { "$@"; }\n');
  const lines = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  let count = 0;
  return async (command) => {
    const end = `-- end ${++count} --`;
    shell.stdin.write(`${command}\necho\necho '${end}'\n`);
    const printed: string[] = [];
    for (;;) {
      const { value, done } = await lines.next();
      if (done || value === end) break;
      printed.push(value);
    }
    // The empty line is ours, unless what was printed ended in the middle of one.
    return printed.join("\n").replace(/\n$/, "");
  };
}

/** Types each command, and compares. */
async function tryAll(shown: readonly Shown[], type: (command: string) => Promise<string>): Promise<void> {
  for (const { command, output } of shown) {
    const printed = await type(command.replace(/^npm run/, `npm --prefix ${root} run`));
    if (!asShown(output, printed)) expect(printed, `$ ${command}`).toBe(output.join("\n"));
  }
}

test("every command of the README prints what it says, with npm start running", {
  timeout: 120_000 + GO_WAIT_MS,
}, async () => {
  const start = new Program("examples/box-office/src/start.ts", []);
  onTestFinished(() => start.stop().then(() => undefined));
  await start.says(/The box office is open/);
  // The page that it begins with, and where that finds Usher.
  const page = await (await fetch("http://localhost:9000/")).text();
  expect(page).toContain('content="http://localhost:8080"');
  const type = await openShell();
  const shown = shownCommands(readme);
  expect(shown.length).toBeGreaterThan(10);
  await tryAll(shown, type);
});

test("the five commands that npm start shows print what it says", {
  timeout: 180_000 + GO_WAIT_MS,
}, async () => {
  const start = new Program("examples/box-office/src/start.ts", []);
  onTestFinished(() => start.stop().then(() => undefined));
  await start.says(/The box office is open[\s\S]*every promise/);
  const type = await openShell();
  const shown = indentedCommands(start.stdout);
  expect(shown).toHaveLength(5);
  await tryAll(shown, type);
});

test("the Korean README has the same commands, with the same output", () => {
  expect(shownCommands(korean)).toEqual(shownCommands(readme));
});

test("both READMEs have the same code and the same links", () => {
  const fences = (text: string) =>
    [...text.matchAll(/^```[a-z]*\n[\s\S]*?^```$/gm)].map(String).map(withoutComments);
  const links = (text: string) =>
    [...text.matchAll(/\]\(([^)]+)\)/g)]
      .map((match) => match[1])
      .filter((link) => !/^README/.test(`${link}`));
  expect(fences(korean)).toEqual(fences(readme));
  expect(links(korean).sort()).toEqual(links(readme).sort());
});

/** Comments in code are translated. */
function withoutComments(code: string): string {
  return code.replace(/ +# .*$/gm, "");
}

describe("what the README shows is compared", () => {
  test("a line that differs is noticed", () => {
    expect(asShown(["one", "two"], "one\ntwo\n")).toBe(true);
    expect(asShown(["one", "two"], "one\nthree\n")).toBe(false);
    expect(asShown(["one"], "one\ntwo\n")).toBe(false);
  });

  test("… stands for what differs, and for no more", () => {
    expect(asShown(['{"id":"…:1"}'], '{"id":"abc:1"}')).toBe(true);
    expect(asShown(['{"id":"…:1"}'], '{"id":"abc:2"}')).toBe(false);
    expect(asShown(["…", "last"], "one\ntwo\nlast\n")).toBe(true);
    expect(asShown(["…", "last"], "one\nlast\nmore\n")).toBe(false);
  });
});
