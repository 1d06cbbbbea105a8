// The public conformance suite of connectrpc.com: its runner, in Go, starts a server as often as it needs one, and calls
// it in every way that there is.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { go, goProgram, versionOf } from "../../support/go.ts";

const MODULE = "connectrpc.com/conformance";

const FEATURES = join(import.meta.dirname, "features.yaml");
/** The exceptions: after a heading, reasons and patterns. */
export const EXCEPTIONS = join(import.meta.dirname, "known-failing.txt");
export const SERVER = resolve(import.meta.dirname, "../../../services/gateway/test/conformance/server.ts");

/** How long a run may take, in milliseconds; four minutes: it takes half of one on two idle cores. */
export const RUN_MS = 240_000;

/** Servers at once; 2: each has ten seconds to start, also on a machine that is busy with other tests. */
const SERVERS = 2;

export interface Outcome {
  readonly code: number | null;
  /** All of them; those that are in none of the counts below could not be run. */
  readonly cases: number;
  readonly passed: number;
  /** Those that were known to fail, and did. */
  readonly excepted: number;
  readonly failed: number;
  /** All that the runner said. */
  readonly said: string;
}

export class Suite implements AsyncDisposable {
  readonly #runner: string;
  readonly #folder: string;

  private constructor(runner: string, folder: string) {
    this.#runner = runner;
    this.#folder = folder;
  }

  /** Installs the runner if it is not there, and makes the descriptors of its messages. */
  static async open(): Promise<Suite> {
    const runner = await goProgram("connectconformance");
    const module = `${MODULE}@${versionOf("connectconformance")}`;
    const { Dir } = JSON.parse(await go(["mod", "download", "-json", module])) as { Dir: string };
    const folder = await mkdtemp(join(tmpdir(), "usher-suite-"));
    const suite = new Suite(runner, folder);
    const built = spawn("buf", ["build", join(Dir, "proto"), "--output", suite.#descriptors], {
      stdio: "pipe",
    });
    const [code, said] = await Promise.all([ended(built), text(built.stderr)]);
    if (code === 0) return suite;
    await suite[Symbol.asyncDispose]();
    throw new Error(`buf could not read the suite's messages: ${said}`);
  }

  get #descriptors(): string {
    return join(this.#folder, "suite.binpb");
  }

  /** Runs all cases, or those of the patterns. `server`: a program such as `SERVER`. */
  async run({ server = SERVER, cases = [] as readonly string[] } = {}): Promise<Outcome> {
    const only = cases.flatMap((pattern) => ["--run", pattern]);
    const child = spawn(
      this.#runner,
      [
        ...["--mode", "server", "--conf", FEATURES, "--max-servers", `${SERVERS}`],
        ...["--known-failing", `@${EXCEPTIONS}`, ...only],
        ...["--", process.execPath, server, this.#descriptors],
      ],
      // Its own group, so that the servers that it has started end with it.
      { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...process.env, NODE_OPTIONS: "" } },
    );
    const kill = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const late = setTimeout(kill, RUN_MS);
    process.once("exit", kill);
    try {
      const [code, out, err] = await Promise.all([ended(child), text(child.stdout), text(child.stderr)]);
      return { code, ...countsIn(out), said: `${out}${err}` };
    } finally {
      clearTimeout(late);
      process.off("exit", kill);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The runner's last words: `Total cases: 3944`, `3920 passed, 0 failed`, and what it says of exceptions. */
function countsIn(out: string): Pick<Outcome, "cases" | "passed" | "excepted" | "failed"> {
  const count = (pattern: RegExp): number => Number(pattern.exec(out)?.[1] ?? 0);
  return {
    cases: count(/^Total cases: (\d+)$/m),
    passed: count(/^(\d+) passed, /m),
    failed: count(/^\d+ passed, (\d+) failed/m),
    excepted: count(/\(Another (\d+) failed as expected/),
  };
}

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
}
