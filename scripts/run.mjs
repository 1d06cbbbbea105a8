// Runs a command of this repository on the right Node, after fetching what is missing:
//
//   node scripts/run.mjs <command> [arguments]
//
// Every npm script starts here, so that `npm start` and `npm test` work on a fresh clone and on an old Node. Plain
// JavaScript without dependencies, for the same reason.

import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InstallError, install, whatIsMissing } from "./install.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SIGNALS = /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/** Within this many milliseconds the same signal is one and the same: Ctrl-C reaches us from the terminal, and once
 * more from npm. */
const ONE_SIGNAL_MS = 500;

/** How often we look whether npm still lives, in milliseconds. The shell between npm and us passes no signal on but
 * dies of it, so a `kill` of npm shows only in that we have another parent. */
const PARENT_MS = 250;

/** How long what the command left behind may take to end, in milliseconds, before it is killed. */
const LEFTOVERS_MS = 5_000;

const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  say("name a command to run: node scripts/run.mjs <command> [arguments]");
  process.exit(2);
}
await fetchWhatIsMissing();
run();

/** @param {string} line */
function say(line) {
  process.stderr.write(`usher: ${line}\n`);
}

async function fetchWhatIsMissing() {
  const missing = whatIsMissing(root);
  if (missing === undefined) return;
  const stop = new AbortController();
  const stopped = () => stop.abort();
  for (const signal of SIGNALS) process.on(signal, stopped);
  try {
    await install(root, missing, { say, signal: stop.signal });
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    say(error.message);
    process.exit(1);
  }
  for (const signal of SIGNALS) process.off(signal, stopped);
}

function run() {
  const windows = process.platform === "win32";
  // In a process group of its own: so it gets each signal once, from us, and we find what it leaves behind.
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter) },
    stdio: ["ignore", "inherit", "inherit"],
    detached: !windows,
    shell: windows,
  });
  child.on("error", (error) => {
    say(`cannot start ${command}: ${error.message}`);
    process.exit(127);
  });
  child.on("exit", async (code, signal) => {
    if (!windows && child.pid !== undefined) await endLeftovers(child.pid);
    if (signal === null) process.exit(code ?? 1);
    // Ends by the same signal, so that whoever started us sees why.
    for (const name of SIGNALS) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
  passSignalsTo(child);
}

/** @param {import("node:child_process").ChildProcess} child */
function passSignalsTo(child) {
  /** @type {Map<NodeJS.Signals, number>} */
  const last = new Map();
  for (const signal of SIGNALS)
    process.on(signal, () => {
      if (Date.now() - (last.get(signal) ?? 0) < ONE_SIGNAL_MS) return;
      last.set(signal, Date.now());
      child.kill(signal);
    });
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, PARENT_MS).unref();
}

/**
 * Ends the processes that the command started and left behind: after a crash of it no gateway must stay on its port.
 * @param {number} group
 */
async function endLeftovers(group) {
  const deadline = Date.now() + LEFTOVERS_MS;
  try {
    process.kill(-group, "SIGTERM");
    while (Date.now() < deadline) {
      process.kill(-group, 0);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    process.kill(-group, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}
