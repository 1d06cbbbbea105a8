// Every check that is not a test: types, lint and format, the contract, the generated code. Prints each one's result
// as it goes, the words of those that fail, and how many there were.
//
//   npm run check            all
//   npm run check -- types   those named

import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The contract that clients were last built on: `npm run publish:contract` writes it. */
const PUBLISHED = "proto/published.binpb";
/** What runs in browsers, and not in Node: checked by itself, for the two have different globals. */
const BROWSER = "examples/box-office/src/page/browser";
/** Where `npm run generate` writes. */
const GENERATED = "packages/protocol/src";
/** Where `npm run generate:reference` writes. */
const REFERENCE = "packages/sdk/reference";

/** Says nothing where all is well, else what is wrong. */
type Check = (root: string) => Promise<string>;

export const CHECKS: Readonly<Record<string, Check>> = {
  types: (root) => run(root, "tsc", "-p", "tsconfig.json", "--pretty", "false"),
  "types in browsers": (root) => run(root, "tsc", "-p", BROWSER, "--pretty", "false"),
  "lint and format": (root) => run(root, "biome", "ci", "--colors=off", "."),
  "contract lint": (root) => run(root, "buf", "lint"),
  "contract breaks nobody": async (root) => {
    const said = await run(root, "buf", "breaking", "--against", PUBLISHED);
    return said && `${said}\nA client built on ${PUBLISHED} would break; buf.yaml says when to publish anew.`;
  },
  "generated code up to date": (root) =>
    regenerated(root, GENERATED, "npm run generate", async (fresh) => {
      const said = await run(root, "buf", "generate", "--output", fresh);
      return said || { folder: join(fresh, GENERATED) };
    }),
  "client's reference up to date": (root) =>
    regenerated(root, REFERENCE, "npm run generate:reference", async (fresh) => {
      const said = await run(root, process.execPath, "scripts/sdk/reference.ts", fresh);
      return said || { folder: fresh };
    }),
};

/** The command's output where it fails; a command that cannot be started fails as well. */
function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
    child.on("error", (error) => resolve(`${command} cannot be started: ${error.message}`));
    child.on("close", (code) => resolve(code === 0 ? "" : output.trim() || `${command} ended with ${code}`));
  });
}

/** Compares what is committed with what is made anew in an empty folder. `make`: resolves with what went wrong, or with
 * where in that folder the files are. */
async function regenerated(
  root: string,
  committed: string,
  command: string,
  make: (fresh: string) => Promise<string | { readonly folder: string }>,
): Promise<string> {
  const fresh = await mkdtemp(join(tmpdir(), "usher-generated-"));
  try {
    const made = await make(fresh);
    if (typeof made === "string") return made;
    const [had, has] = await Promise.all([contents(join(root, committed)), contents(made.folder)]);
    const paths = [...new Set([...had.keys(), ...has.keys()])];
    const differing = paths.filter((path) => had.get(path) !== has.get(path));
    if (differing.length === 0) return "";
    return `${differing.map((path) => join(committed, path)).join("\n")}\nRun ${command}, and commit what it writes.`;
  } finally {
    await rm(fresh, { recursive: true });
  }
}

async function contents(folder: string): Promise<Map<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    await Promise.all(
      files.map(async (file): Promise<[string, string]> => {
        const path = join(file.parentPath, file.name);
        return [path.slice(folder.length + 1), await readFile(path, "utf8")];
      }),
    ),
  );
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname);
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !(name in CHECKS));
  if (unknown.length > 0) {
    console.error(`no check named ${unknown.join(", ")}; there are: ${Object.keys(CHECKS).join(", ")}`);
    process.exit(2);
  }
  const chosen = Object.entries(CHECKS).filter(([name]) => asked.length === 0 || asked.includes(name));
  let failed = 0;
  for (const [name, check] of chosen) {
    const wrong = await check(root);
    console.log(wrong === "" ? `ok      ${name}` : `FAILED  ${name}\n${wrong}\n`);
    if (wrong !== "") failed++;
  }
  console.log(`checks: ${chosen.length - failed} ok, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
