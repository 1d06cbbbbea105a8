// What stands between a newcomer's `npm start` and our programs: scripts/run.mjs and scripts/install.mjs.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { explain, whatIsMissing } from "../../scripts/install.mjs";
import { ROOT } from "./repository.ts";

const RUN = join(ROOT, "scripts", "run.mjs");

let folder: string;
let started: ChildProcess[];

// What is started here would fetch it, and take node_modules away from under all other tests.
beforeAll(() => {
  expect(whatIsMissing(ROOT), "run npm ci first").toBeUndefined();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-run-"));
  started = [];
});

afterEach(async () => {
  for (const child of started) child.kill("SIGKILL"); // what a failed test leaves
  await rm(folder, { recursive: true });
});

/** A started program and what it has printed so far. */
class Program {
  output = "";
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    started.push(this.child);
    this.#closed = once(this.child, "close");
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        this.output += chunk;
      });
  }

  async says(words: string): Promise<void> {
    while (!this.output.includes(words)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** The exit code, or the signal it died of, once all that it started has let go of its output. */
  async ended(): Promise<number | string | null> {
    await this.#closed;
    return this.child.exitCode ?? this.child.signalCode;
  }
}

describe("a command", () => {
  const runs = (program: string) => new Program(process.execPath, [RUN, "node", "-e", program]);
  /** Says "ready", says each signal, and ends by itself only on SIGTERM. */
  const LISTENER = `
    process.on("SIGINT", () => console.log("got SIGINT"));
    process.on("SIGTERM", () => { console.log("got SIGTERM"); setTimeout(() => process.exit(5), 50); });
    setInterval(() => {}, 1000); console.log("ready");`;

  test("runs on the Node of node_modules and at the root, and its exit code is passed on", async () => {
    const program = runs("console.log(process.version, process.cwd()); process.exit(7)");
    expect(await program.ended()).toBe(7);
    expect(program.output).toBe(`v24.21.0 ${ROOT}\n`);
  });

  test("is told of SIGTERM, and its exit code is passed on", async () => {
    const program = runs(LISTENER);
    await program.says("ready");
    program.child.kill("SIGTERM");
    expect(await program.ended()).toBe(5);
    expect(program.output).toBe("ready\ngot SIGTERM\n");
  });

  test("is told once of a Ctrl-C that comes twice, from the terminal and from npm", async () => {
    const program = runs(LISTENER);
    await program.says("ready");
    program.child.kill("SIGINT");
    await program.says("got SIGINT");
    program.child.kill("SIGINT");
    program.child.kill("SIGTERM");
    expect(await program.ended()).toBe(5);
    expect(program.output).toBe("ready\ngot SIGINT\ngot SIGTERM\n");
  });

  test("is told to end when npm is killed, which tells nobody", async () => {
    const shell = new Program(
      "sh",
      ["-c", '"$@"; true', "sh", process.execPath, RUN, "node", "-e", LISTENER],
      {
        npm_lifecycle_event: "start",
      },
    );
    await shell.says("ready");
    shell.child.kill("SIGKILL");
    expect(await shell.ended()).toBe("SIGKILL");
    expect(shell.output).toBe("ready\ngot SIGTERM\n");
  });

  test("that crashes leaves nothing running, and its signal is passed on", async () => {
    const program = runs(`
      console.log(process.pid);
      require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(LISTENER)}], { stdio: "inherit" });
      setInterval(() => {}, 1000);`);
    await program.says("ready");
    process.kill(Number.parseInt(program.output, 10), "SIGKILL");
    expect(await program.ended()).toBe("SIGKILL");
    expect(program.output).toMatch(/^\d+\nready\ngot SIGTERM\n$/);
  });

  test("that does not exist is one line and exit code 127", async () => {
    const program = new Program(process.execPath, [RUN, "no-such-program"]);
    expect(await program.ended()).toBe(127);
    expect(program.output).toMatch(/^usher: cannot start no-such-program: .*\n$/);
  });
});

/** A project that needs one package, with our scripts in it. */
async function makeProject(): Promise<void> {
  await cp(join(ROOT, "scripts"), join(folder, "scripts"), { recursive: true });
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "project", version: "1.0.0", devDependencies: { needed: "1.0.0" } }),
  );
  await writeLock("package-lock.json", {
    "": { name: "project", version: "1.0.0", devDependencies: { needed: "1.0.0" } },
    "node_modules/needed": { version: "1.0.0", dev: true, integrity: `sha512-${"A".repeat(86)}==` },
  });
}

async function writeLock(path: string, packages: object): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(
    join(folder, path),
    JSON.stringify({ name: "project", version: "1.0.0", lockfileVersion: 3, requires: true, packages }),
  );
}

describe("what is missing is fetched first; where that fails, it is said in one line:", () => {
  async function runsIn(project: string, registry: string): Promise<Program> {
    const program = new Program(process.execPath, [join(project, "scripts", "run.mjs"), "node", "-v"], {
      npm_config_registry: registry,
      npm_config_cache: join(project, "cache"),
      npm_config_fetch_retries: "0",
    });
    expect(await program.ended()).toBe(1);
    return program;
  }

  async function listening(status: number): Promise<{ address: string; close: () => void }> {
    const server = createServer((_, response) => response.writeHead(status).end("{}"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    return { address: `http://127.0.0.1:${port}`, close: () => server.close() };
  }

  const WHAT = /^usher: node_modules is not there; fetching 1 packages with npm ci, \d+ MB .*$/;

  test("without a network", async () => {
    await makeProject();
    const registry = await listening(200);
    registry.close();
    const [what, why, ...more] = (await runsIn(folder, registry.address)).output.split("\n");
    expect(what).toMatch(WHAT);
    expect(why).toMatch(/^usher: cannot reach the npm registry \(ECONNREFUSED.*\)\. Connect to the network/);
    expect(more).toEqual([""]);
  });

  test.each([403, 404])("at a registry that answers %d", async (status) => {
    await makeProject();
    const registry = await listening(status);
    const [what, why, ...more] = (await runsIn(folder, registry.address)).output.split("\n");
    registry.close();
    expect(what).toMatch(WHAT);
    expect(why).toContain(
      `usher: the npm registry refused a package (E${status}, ${registry.address}/needed)`,
    );
    expect(more).toEqual([""]);
  });

  test("and npm's own words come first where they are the best there is", async () => {
    await makeProject();
    await writeFile(join(folder, "package.json"), "{");
    const { output } = await runsIn(folder, "http://127.0.0.1:9");
    expect(output).toContain("EJSONPARSE");
    expect(output).toMatch(/usher: npm ci failed; its words are above\n$/);
  });
});

describe("node_modules", () => {
  const platform = { optional: true, os: [process.platform], cpu: [process.arch] };
  const LOCK = {
    "": { name: "project" },
    "packages/own": { version: "0.1.0" },
    "node_modules/own": { resolved: "packages/own", link: true },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/a/node_modules/b": { version: "2.0.0" },
    "node_modules/native-here": { version: "1.0.0", ...platform },
    "node_modules/native-elsewhere": { version: "1.0.0", optional: true, os: ["no-such-system"] },
  };
  const { "": _, "node_modules/native-elsewhere": __, ...INSTALLED } = LOCK;
  const NODE = join("node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");

  async function installed(packages: object): Promise<string | undefined> {
    await writeLock("package-lock.json", LOCK);
    await writeLock("node_modules/.package-lock.json", packages);
    await mkdir(dirname(join(folder, NODE)), { recursive: true });
    await writeFile(join(folder, NODE), "");
    return whatIsMissing(folder);
  }

  test("serves as npm wrote it down, whoever called npm, and with more in it", async () => {
    expect(await installed(INSTALLED)).toBeUndefined();
    expect(await installed({ ...INSTALLED, "node_modules/more": { version: "1.0.0" } })).toBeUndefined();
  });

  test("does not serve without a package, a workspace, a version or this platform's part", async () => {
    const { "node_modules/a/node_modules/b": b, ...withoutB } = INSTALLED;
    expect(await installed(withoutB)).toBe("b is not installed");
    expect(
      await installed({ ...withoutB, "node_modules/a/node_modules/b": { ...b, version: "1.9.0" } }),
    ).toBe("b is 1.9.0, not 2.0.0");
    const { "node_modules/own": ___, ...withoutOwn } = INSTALLED;
    expect(await installed(withoutOwn)).toBe("own is not installed");
    const { "node_modules/native-here": ____, ...withoutNative } = INSTALLED;
    expect(await installed(withoutNative)).toBe("native-here is not installed");
  });

  test("does not serve where npm never ended, or ran no install scripts", async () => {
    await installed(INSTALLED);
    await rm(join(folder, NODE));
    expect(whatIsMissing(folder)).toBe("the package `node` has no binary");
    await rm(join(folder, "node_modules", ".package-lock.json"));
    expect(whatIsMissing(folder)).toBe("node_modules is not there");
  });

  test("serves in this repository", () => {
    expect(whatIsMissing(ROOT)).toBeUndefined();
  });
});

test.each([
  ["npm error code ENOTFOUND\nnpm error network request to https://r.example/a failed", "cannot reach"],
  [
    "npm http fetch GET https://r.example/a attempt 1 failed with EAI_AGAIN\nnpm error Exit handler never called!",
    "cannot reach the npm registry (EAI_AGAIN)",
  ],
  [
    "npm http fetch GET https://r.example/a attempt 1 failed with ECONNRESET\nnpm error code ENOSPC",
    "no room on the disk (ENOSPC)",
  ],
  ["npm error code EUSAGE\nnpm error `npm ci` can only install", "package-lock.json does not fit"],
  ["npm ERR! code EACCES", "npm may not write"],
])("npm's %j becomes one line", (output, line) => {
  expect(explain(output)).toContain(line);
  expect(explain(output)).not.toContain("\n");
});
