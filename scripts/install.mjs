// Whether node_modules is what package-lock.json says, and the fetching of it. Plain JavaScript without dependencies:
// it runs before anything is installed, on whatever Node (18 or newer) the machine has.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** What `npm ci` downloads into an empty cache and leaves on the disk, in MB; measured on Linux x64 with
 * `npm ci --cache <empty folder>`. Three quarters are the binaries of Node, buf, Biome and TypeScript. */
const DOWNLOAD_MB = 200;
const DISK_MB = 515;

/** How often a silent download shows that it goes on, in milliseconds. */
const HEARTBEAT_MS = 15_000;

/** How much of npm's output is kept to explain a failure, in characters: its last part. */
const OUTPUT_KEPT = 64 * 1024;

/** The oldest Node for which npm installs everything. On an older one it leaves out optional packages whose `engines`
 * name a newer Node, vitest's native part among them, and a second round on our own Node adds them. */
const NODE_FOR_ALL = [22, 19];

/**
 * @typedef {{ version?: string, resolved?: string, link?: boolean, optional?: boolean,
 *   os?: string[], cpu?: string[], libc?: string[] }} Locked an entry of the lock's `packages`
 * @typedef {{ say: (line: string) => void, signal: AbortSignal }} Telling how to tell people, and when to stop
 */

/** Its message is one line for people: what went wrong, and what to do. */
export class InstallError extends Error {}

/**
 * Why node_modules does not serve, in a few words; undefined where it does. npm writes down what it installed, so an
 * installation by hand (`npm install`) counts as well as ours.
 * @param {string} root the folder of package-lock.json
 */
export function whatIsMissing(root) {
  const locked = readPackages(join(root, "package-lock.json"));
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (locked === undefined) return "package-lock.json cannot be read";
  if (installed === undefined) return "node_modules is not there";
  for (const [path, wanted] of Object.entries(locked)) {
    if (!isFetched(path) || !isForThisPlatform(wanted)) continue;
    const found = installed[path];
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (found === undefined) return `${name} is not installed`;
    if (found.version !== wanted.version) return `${name} is ${found.version}, not ${wanted.version}`;
  }
  // Not there where install scripts were switched off: the package `node` fetches its binary in one.
  if (!existsSync(ownNode(root))) return "the package `node` has no binary";
  return undefined;
}

/**
 * Fetches what package-lock.json names, or throws an `InstallError`.
 * @param {string} root
 * @param {string} missing what `whatIsMissing` said
 * @param {Telling} telling
 */
export async function install(root, missing, telling) {
  const count = Object.entries(readPackages(join(root, "package-lock.json")) ?? {}).filter(
    ([path, wanted]) => isFetched(path) && !wanted.link && isForThisPlatform(wanted),
  ).length;
  telling.say(
    `${missing}; fetching ${count} packages with npm ci, ${DOWNLOAD_MB} MB less what npm has cached (${DISK_MB} MB on the disk) ...`,
  );
  await npm(root, ["ci"], process.execPath, telling);
  if (isOlder(process.version, NODE_FOR_ALL) && existsSync(ownNode(root)))
    await npm(root, ["install", "--no-save"], ownNode(root), telling);
  const still = whatIsMissing(root);
  if (still !== undefined)
    throw new InstallError(
      `npm ci ended well, but ${still}. Where npm is set to run no install scripts: npm rebuild node --ignore-scripts=false`,
    );
}

/** What npm's words mean, the first that fits: [pattern, what to tell]. */
const REASONS = /** @type {[RegExp, string][]} */ ([
  [
    /\b(EUSAGE)\b/,
    "package-lock.json does not fit the package.json files ($1). Run npm install, and keep its lock file",
  ],
  [/\b(ENOSPC)\b/, `no room on the disk ($1): ${DISK_MB} MB are needed`],
  [/\b(EACCES|EPERM|EROFS)\b/, "npm may not write to node_modules or to its cache ($1). Look who owns them"],
  [
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|E?TIMEDOUT|ERR_SOCKET_TIMEOUT)\b/,
    "cannot reach the npm registry ($1). Connect to the network, or name a registry that can be reached (npm config set registry <address>), and type the same again",
  ],
  [
    /\b(E4\d\d|E5\d\d|ETARGET|EINTEGRITY)\b/,
    "the npm registry refused a package ($1). Ask its keeper, or name another registry (npm config set registry <address>), and type the same again",
  ],
]);

/**
 * One line on what went wrong and what to do, from what npm printed: by its errors, else by any line. Undefined where
 * npm's own words are the best there is.
 * @param {string} output
 */
export function explain(output) {
  const errors = output.match(/^npm (error|ERR!).*$/gm)?.join("\n") ?? "";
  for (const words of [errors, output])
    for (const [pattern, telling] of REASONS) {
      const found = pattern.exec(words);
      if (found === null) continue;
      const address = /\b(?:GET|fetch) (https?:\S+)/.exec(errors);
      return telling.replace("$1", address === null ? found[1] : `${found[1]}, ${address[1]}`);
    }
  return undefined;
}

/**
 * Runs npm on the given Node and keeps its words to itself, unless it fails in a way that we cannot explain.
 * @param {string} root
 * @param {string[]} args
 * @param {string} node
 * @param {Telling} telling
 * @returns {Promise<void>}
 */
async function npm(root, args, node, { say, signal }) {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith("npm-cli.js") ? [node, [cli]] : ["npm", []];
  const child = spawn(
    command,
    // Development packages too, whatever NODE_ENV says: Node itself is one. Loud, since npm 10 can end without a word
    // about why when there is no network.
    [...first, ...args, "--include=dev", "--loglevel=http"],
    {
      cwd: root,
      env: {
        // Few and short retries: by its defaults npm tells only after minutes that there is no network.
        npm_config_fetch_retries: "2",
        npm_config_fetch_retry_mintimeout: "1000",
        npm_config_fetch_retry_maxtimeout: "5000",
        // What the cache holds is not asked for again: the lock file pins every version.
        npm_config_prefer_offline: "true",
        ...process.env,
        PATH: [dirname(node), process.env.PATH].join(delimiter),
      },
      signal,
      shell: command === "npm" && process.platform === "win32",
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk) => {
      output = (output + chunk).slice(-OUTPUT_KEPT);
    });
  let waited_ms = 0;
  const heartbeat = setInterval(() => {
    waited_ms += HEARTBEAT_MS;
    say(`still fetching, ${waited_ms / 1000} s`);
  }, HEARTBEAT_MS);
  try {
    const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    if (code === 0) return;
  } catch (error) {
    if (signal.aborted) throw new InstallError("stopped while fetching; type the same to go on");
    throw new InstallError(`npm cannot be started (${error}). Install Node, which brings it`);
  } finally {
    clearInterval(heartbeat);
  }
  const reason = explain(output);
  if (reason === undefined) process.stderr.write(output.replace(/^npm (warn|WARN|http) .*\n/gm, ""));
  throw new InstallError(reason ?? `npm ${args[0]} failed; its words are above`);
}

/**
 * Where the package `node` puts the Node that everything runs on.
 * @param {string} root
 */
function ownNode(root) {
  return join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
}

/**
 * @param {string} path
 * @returns {Record<string, Locked> | undefined}
 */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * The other entries of the lock are the workspaces themselves.
 * @param {string} path
 */
function isFetched(path) {
  return path.includes("node_modules/");
}

/**
 * Optional packages that name no platform come along with others that do.
 * @param {Locked} wanted
 */
function isForThisPlatform({ optional, os, cpu, libc }) {
  if (!optional) return true;
  if (os === undefined && cpu === undefined) return false;
  return (
    (os ?? [process.platform]).includes(process.platform) &&
    (cpu ?? [process.arch]).includes(process.arch) &&
    (libc === undefined || libc.includes(ownLibc()))
  );
}

function ownLibc() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

/**
 * @param {string} version as `process.version` has it
 * @param {number[]} than
 */
function isOlder(version, [major, minor]) {
  const [ownMajor, ownMinor] = version.slice(1).split(".").map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}
