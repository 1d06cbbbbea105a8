// The checks of `npm run check`, each run on a copy of the repository in which something is wrong.

import { appendFile, cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CHECKS } from "../../scripts/check.ts";
import { ROOT } from "./repository.ts";

const QUEUE = "proto/usher/queue/v1/queue.proto";
const PATH = process.env.PATH;

let copy: string;

beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), "usher-check-"));
  const own = [
    "proto",
    "packages/protocol",
    "packages/queue",
    "packages/sdk",
    "scripts",
    ".gitignore",
    "buf.yaml",
    "buf.gen.yaml",
    "biome.json",
    "tsconfig.json",
    "package.json",
  ];
  for (const path of own) await cp(join(ROOT, path), join(copy, path), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  process.env.PATH = [join(ROOT, "node_modules", ".bin"), PATH].join(delimiter);
});

afterEach(async () => {
  process.env.PATH = PATH;
  await rm(copy, { recursive: true });
});

async function replace(path: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(join(copy, path), "utf8");
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  await writeFile(join(copy, path), changed);
}

test("the contract as it stands breaks nobody, is well-formed, and is what the code was generated from", async () => {
  for (const name of ["contract lint", "contract breaks nobody", "generated code up to date"])
    expect(await CHECKS[name]?.(copy)).toBe("");
});

test("a field that takes another number breaks clients", async () => {
  await replace(QUEUE, /uint32 number = \d+;/, "uint32 number = 99;");
  expect(await CHECKS["contract breaks nobody"]?.(copy)).toContain("number");
});

test("a removed method breaks clients", async () => {
  await replace(QUEUE, /^ *rpc Leave\(.*$/m, "");
  expect(await CHECKS["contract breaks nobody"]?.(copy)).toContain("Leave");
});

test("a field without a comment does not pass the lint", async () => {
  await appendFile(join(copy, QUEUE), "\n// A planted message.\nmessage Planted {\n  string bare = 1;\n}\n");
  expect(await CHECKS["contract lint"]?.(copy)).toContain("bare");
});

test("code generated from another contract is noticed, and left as it is", async () => {
  await replace(QUEUE, /uint32 number = \d+;/, "uint32 number = 99;");
  const generated = join(copy, "packages/protocol/src/usher/queue/v1/queue_pb.js");
  const before = await readFile(generated, "utf8");
  expect(await CHECKS["generated code up to date"]?.(copy)).toContain("queue_pb.js");
  expect(await readFile(generated, "utf8")).toBe(before);
});

test("a reference that was made of other docstrings is noticed, and left as it is", async () => {
  expect(await CHECKS["client's reference up to date"]?.(copy)).toBe("");
  await replace("packages/sdk/src/web.ts", "Holds no connection of its own", "Holds no planted connection");
  const page = join(copy, "packages/sdk/reference/web.md");
  const before = await readFile(page, "utf8");
  expect(await CHECKS["client's reference up to date"]?.(copy)).toContain("packages/sdk/reference/web.md");
  expect(await readFile(page, "utf8")).toBe(before);
});

test("a wrong type is found", async () => {
  await writeFile(join(copy, "scripts/planted.ts"), 'export const planted: number = "no";\n');
  expect(await CHECKS.types?.(copy)).toContain("planted.ts");
});

test.each([
  ["a focused test", 'import { test } from "vitest";\n\ntest.only("one", () => {});\n', "noFocusedTests"],
  ["a skipped test", 'import { test } from "vitest";\n\ntest.skip("one", () => {});\n', "noSkippedTests"],
  ["an `any`", "export const planted = (one: any) => one;\n", "noExplicitAny"],
  ["a re-export of everything", 'export * from "./check.ts";\n', "noReExportAll"],
  ["a line in another format", "export const planted   = 1\n", "format"],
])("%s is found", async (_, text, rule) => {
  await writeFile(join(copy, "scripts/planted.test.ts"), text);
  expect(await CHECKS["lint and format"]?.(copy)).toContain(rule);
});

test("a check whose program is not there fails", async () => {
  process.env.PATH = copy;
  expect(await CHECKS["contract lint"]?.(copy)).toContain("cannot be started");
});
