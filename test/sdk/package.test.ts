// The client as strangers get it: packed, installed into projects of their own, compiled there by their rules, and run
// against the real program.

import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Program } from "../support/program.ts";
import { startUsher } from "../support/usher.ts";
import { type Packed, packSdk } from "./support/packed.ts";
import { Project } from "./support/project.ts";

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>;
}

let packed: Packed;
let manifest: Manifest;
let entries: string[];

beforeAll(async () => {
  packed = await packSdk();
  manifest = JSON.parse(await readFile(join(packed.folder, "package.json"), "utf8")) as Manifest;
  entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"));
});

afterAll(() => packed?.remove());

/** A program on a server, and a page: what the README opens with, and what every caller relies on. */
const BACKEND = `
import { createClient, createFetch, type QueueStatus, type Status, UsherError } from "@usher/sdk";

const waiting: typeof fetch = createFetch({ onStatus: (status: Status) => void status.position });
const [baseUrl = "", apiKey = ""] = process.argv.slice(2);
using usher = createClient({ baseUrl, apiKey });
const ticket = await usher.issue("concert", { subject: "ann", attributes: { seat: "1" } });
for await (const status of ticket.watch()) {
  console.log(status.state, status.position);
  if (status.state === "admitted") break;
  const { numbers } = await usher.admit("concert", { count: 1 });
  console.log("admitted", numbers.join());
}
const queue: QueueStatus = await usher.queue("concert");
console.log(queue.kind, queue.waiting, typeof waiting);
try {
  await usher.issue("none");
} catch (error) {
  const { code, retryable, outcome } = UsherError.from(error);
  console.log(code, retryable, outcome);
}
`;
const PAGE = `
import { createClient, createFetch, type Status } from "@usher/sdk/web";

export const waiting: typeof fetch = createFetch({ storage: localStorage, onStatus: (status) => show(status) });
const usher = createClient();
const ticket = await usher.issue("concert", { idempotencyKey: crypto.randomUUID() });
for await (const status of ticket.watch({ signal: new AbortController().signal })) show(status);

function show({ position, waitP90, state }: Status): void {
  document.title = [state, position ?? "", waitP90 ?? ""].join(" ");
}
`;

/** The packages that a built file loads, by itself or by way of others; Node's own are called "Node". */
async function loadedBy(entry: string): Promise<Set<string>> {
  const packages = new Set<string>();
  const files = new Set([entry]);
  for (const file of files) {
    const text = await readFile(file, "utf8");
    for (const [, specifier = ""] of text.matchAll(/^(?:import|export|\}) ?[^"'`]*? ?from "([^"]+)";$/gm))
      if (specifier.startsWith(".")) files.add(join(dirname(file), specifier));
      else packages.add(/^node:/.test(specifier) ? "Node" : (/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? ""));
  }
  return packages;
}

describe.each([
  { moduleResolution: "nodenext", module: "nodenext" },
  { moduleResolution: "bundler", module: "esnext" },
])("in a strict project of the module resolution $moduleResolution", (modules) => {
  test("a program on a server compiles without the types of browsers, and takes and watches a ticket", async () => {
    const usher = await startUsher({
      config:
        "queues: { concert: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, mode: paused } }\nservices: {}\nroutes: []\n",
    });
    onTestFinished(() => usher.stop());
    const project = await Project.create(packed.tarball, ["@types/node", "undici-types"]);
    await project.write("main.ts", BACKEND);
    const options = { ...modules, lib: ["es2022", "esnext.disposable"], types: ["node"], target: "es2022" };
    expect(await project.compile(["main.ts"], options)).toBe("");
    const program = new Program(join(project.folder, "out/main.js"), [
      `http://${usher.nativeAddress}`,
      usher.apiKey,
    ]);
    const { code } = await program.ended;
    expect(program.output.split("\n")).toEqual([
      ...["waiting 1", "admitted 1", "admitted 0", "pass 0 function", "queue_not_found false refused", ""],
    ]);
    expect(code).toBe(0);
  });

  test("every entry compiles, and can be loaded", async () => {
    const project = await Project.create(packed.tarball, ["@types/node", "undici-types"]);
    const imports = entries.map((entry, i) => `import * as entry${i} from "@usher/sdk${entry.slice(1)}";\n`);
    const shown = entries.map((entry, i) => `console.log("${entry}", Object.keys(entry${i}).join());\n`);
    await project.write("main.ts", `${imports.join("")}${shown.join("")}`);
    const options = { ...modules, lib: ["es2022"], types: ["node"] };
    expect(await project.compile(["main.ts"], options)).toBe("");
    const program = new Program(join(project.folder, "out/main.js"));
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(program.output).toMatch(/^\. .*createClient.*\n\.\/web .*createFetch/);
    expect(program.output.match(/^\..* [\w,]+$/gm)).toHaveLength(entries.length);
  });

  test("a page compiles without the types of Node, and knows nothing of what a backend may do", async () => {
    const project = await Project.create(packed.tarball);
    await project.write("page.ts", PAGE);
    const options = { ...modules, lib: ["es2022", "dom", "dom.iterable"], types: [] };
    expect(await project.compile(["page.ts"], options)).toBe("");
    await project.write("wrong.ts", `${PAGE}\nawait usher.admit("concert");\n`);
    expect(await project.compile(["wrong.ts"], options)).toContain("'admit' does not exist");
  });
});

describe("the tarball", () => {
  test("has every entry, and nothing that only this repository could resolve", async () => {
    expect(entries).toEqual(expect.arrayContaining([".", "./web"]));
    const paths = await readdir(packed.folder, { recursive: true });
    expect(paths).toEqual(expect.arrayContaining(["README.md", "LICENSE", "dist/index.js", "dist/web.d.ts"]));
    const texts = paths.filter((path) => /\.(js|d\.ts|json)$/.test(path));
    expect(texts.length).toBeGreaterThan(60);
    for (const path of texts) {
      const text = await readFile(join(packed.folder, path), "utf8");
      expect(text, path).not.toMatch(/from "(@usher\/|[^"]*\.ts")|import\("|workspace:/);
    }
  });

  test("has source maps that lead to the sources in them", async () => {
    const map = JSON.parse(await readFile(join(packed.folder, "dist/client/ticket.js.map"), "utf8")) as {
      sources: string[];
      sourcesContent: string[];
    };
    expect(map.sources).toEqual(["../../src/client/ticket.ts"]);
    expect(map.sourcesContent[0]).toContain("async *watch(");
  });

  test("brings along with each entry what the README says, and no more", async () => {
    const readme = await readFile(join(packed.folder, "README.md"), "utf8");
    for (const entry of entries) {
      const name = `@usher/sdk${entry.slice(1)}`;
      const said = new RegExp(`^\\| \`${name}\` .*\\| ([^|]+?) +\\|$`, "m").exec(readme)?.[1] ?? "no row";
      const packages = [...said.matchAll(/`([^`]+)`/g)].map(([, one = ""]) => one);
      const file = name.replace(/^@usher\/sdk\/?/, "") || "index";
      const loaded = await loadedBy(join(packed.folder, "dist", `${file}.js`));
      // In a page there is no Node.
      if (entry !== "./web") loaded.delete("Node");
      expect([...loaded].sort(), name).toEqual(packages.sort());
    }
  });

  test("is clean to publint", async () => {
    const { messages, pkg } = await publint({ pkgDir: packed.folder, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test("has types that are right for everybody who can import it: all but CommonJS, and TypeScript before 4.7", async () => {
    const data = new Uint8Array(await readFile(packed.tarball));
    const result = await checkPackage(createPackageFromTarballData(data));
    if (result.types === false) throw new Error("no types");
    expect(Object.keys(result.entrypoints).filter((entry) => !entry.endsWith(".json"))).toEqual(entries);
    const wrong = result.problems.filter(
      (problem) =>
        !("resolutionKind" in problem) ||
        problem.resolutionKind === "node16-esm" ||
        problem.resolutionKind === "bundler",
    );
    expect(wrong).toEqual([]);
  });
});
