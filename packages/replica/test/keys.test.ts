// The keys' file: made once, for its owner alone, and refused in words that help.

import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeysError, openKeys } from "../src/index.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-keys-"));
  file = join(folder, "data", "keys.json");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Writes a file like those that are made, with changes. */
async function change(changes: Record<string, unknown>): Promise<void> {
  await openKeys({ file, create: true });
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), ...changes }));
}

async function refusal(create = false): Promise<string> {
  const error = await openKeys({ file, create }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(KeysError);
  const { message } = error as KeysError;
  expect(message).toContain(file);
  return message;
}

const SECRET = "A".repeat(43);
const KEY = { id: "a", secret: SECRET, use_from: "2026-11-22T08:00:00Z" };

/** The user id of nobody in particular. */
const NOBODY = 65534;

describe("the keys' file", () => {
  it("is made where there is none, with secrets of its own, for its owner alone, and nothing beside it", async () => {
    const keys = await openKeys({ file, create: true });
    const lists = [keys.tag, keys.encryption, keys.signing];
    expect(lists.map((list) => list.length)).toEqual([1, 1, 1]);
    const secrets = [keys.hash, ...lists.flat().map(({ secret }) => secret)];
    expect(secrets.map(({ length }) => length)).toEqual([32, 32, 32, 32]);
    expect(new Set(secrets.map((secret) => secret.toString("hex"))).size).toBe(4);
    expect(keys.api_keys).toEqual([{ id: "default", key: expect.stringMatching(/^usher_[\w-]{43}$/) }]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, "data"))).toEqual(["keys.json"]);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ version: 2 });
    const other = await openKeys({ file: join(folder, "other.json"), create: true });
    expect(other.hash.equals(keys.hash)).toBe(false);
  });

  it("is the same when it is opened again, with leave to make it or without", async () => {
    const keys = await openKeys({ file, create: true });
    expect(await openKeys({ file, create: true })).toEqual(keys);
    expect(await openKeys({ file, create: false })).toEqual(keys);
  });

  it("is one file however many make it at once in one process", async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => openKeys({ file, create: true })));
    for (const keys of all) expect(keys).toEqual(all[0]);
    expect(await openKeys({ file, create: false })).toEqual(all[0]);
    expect(await readdir(join(folder, "data"))).toEqual(["keys.json"]);
  });

  it("is one file for two processes that make it at once", async () => {
    const program = fileURLToPath(new URL("./programs/open-keys.ts", import.meta.url));
    const run = () => promisify(execFile)(process.execPath, [program, file]);
    const outputs = await Promise.all([run(), run(), run()]);
    const { hash } = await openKeys({ file, create: false });
    for (const { stdout } of outputs) expect(stdout).toBe(hash.toString("hex"));
  });

  it("is missed when it is not there and may not be made", async () => {
    expect(await refusal()).toMatch(/no keys' file/);
    await expect(stat(file)).rejects.toThrow();
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["of a version to come", { version: 3 }, /"version" is 3.*newer Usher/],
    ["with a secret too short", { hash: "c2hvcnQ" }, /"hash" is not 32 bytes/],
    ["with a secret in another spelling", { hash: `${"A".repeat(42)}B` }, /"hash" is not 32 bytes/],
    ["with a secret in the other base64", { hash: `${"A".repeat(41)}+A=` }, /"hash" is not 32 bytes/],
    ["without a secret", { hash: undefined }, /"hash"/],
    ["with a list that is none", { tag: SECRET }, /"tag" is not a list/],
    ["with an empty list", { tag: [] }, /"tag" has no key/],
    ["with a list that is missing", { signing: undefined }, /"signing" is not a list/],
    ["with a list without end", { tag: Array.from({ length: 41 }, () => null) }, /"tag" has 41 keys.*prune/],
    ["with a key that is no object", { tag: [SECRET] }, /"tag\[0\]" is not an object/],
    ["with a key without an id", { tag: [{ ...KEY, id: undefined }] }, /"tag\[0\]\.id" is not an id/],
    ["with an id that no head has room for", { tag: [{ ...KEY, id: "표" }] }, /"tag\[0\]\.id" is not an id/],
    ["with a key without a time", { tag: [{ ...KEY, use_from: 5 }] }, /"tag\[0\]\.use_from" is not a time/],
    ["with a time of no zone", { tag: [{ ...KEY, use_from: "2026-11-22T08:00:00" }] }, /use_from/],
    ["with one id twice", { tag: [KEY, { ...KEY, secret: `${"B".repeat(42)}A` }] }, /two keys have one id/],
    ["with one secret twice", { tag: [KEY, { ...KEY, id: "b" }] }, /two keys have one secret/],
    ["with a field that is misspelled", { api_key: [] }, /"api_key" is not a field.*api_keys/],
    [
      "with a key's field misspelled",
      { tag: [{ ...KEY, useFrom: "" }] },
      /"tag\[0\]\.useFrom" is not a field/,
    ],
    ["with an API key that is easily guessed", { api_keys: [{ id: "a", key: "short" }] }, /api_keys\[0\]/],
    ["with an API key that has no name", { api_keys: [{ key: "x".repeat(30) }] }, /api_keys\[0\]/],
    ["with an API key that is nothing", { api_keys: [null] }, /api_keys\[0\]/],
    ["with an API key that no header carries", { api_keys: [{ id: "a", key: "표".repeat(30) }] }, /\.key/],
    [
      "with API keys of one id",
      { api_keys: ["x", "y"].map((key) => ({ id: "a", key: key.repeat(30) })) },
      /one id/,
    ],
    ["without a list of API keys", { api_keys: undefined }, /"api_keys" is not a list/],
  ])("is refused %s, and left as it is", async (_, changes, words) => {
    await change(changes);
    const before = await readFile(file, "utf8");
    expect(await refusal(true)).toMatch(words);
    expect(await readFile(file, "utf8")).toBe(before);
  });

  it.each(["", "{", "[]", "null", "5", '"keys"', "{}"])(
    "is refused as %j, and left as it is",
    async (text) => {
      await mkdir(join(folder, "data"));
      await writeFile(file, text);
      expect(await refusal(true)).toMatch(/not a keys' file/);
      expect(await readFile(file, "utf8")).toBe(text);
    },
  );

  it("is refused when it is a folder, when it is huge, and when it cannot be made", async () => {
    await mkdir(file, { recursive: true });
    expect(await refusal(true)).toMatch(/cannot be read \(EISDIR\)/);
    file = join(folder, "huge.json");
    await writeFile(file, " ".repeat(2 * 1024 * 1024));
    expect(await refusal(true)).toMatch(/too large/);
    await writeFile(join(folder, "in-the-way"), "");
    file = join(folder, "in-the-way", "keys.json");
    expect(await refusal(true)).toMatch(/ENOTDIR/);
  });

  it("is refused when it, or its folder, is a link to what is not there", async () => {
    await symlink(join(folder, "nowhere"), join(folder, "data"));
    expect(await refusal(true)).toMatch(/cannot be made/);
    file = join(folder, "link.json");
    await symlink(join(folder, "nowhere.json"), file);
    expect(await refusal(true)).toMatch(/is not there/);
    expect((await readdir(folder)).sort()).toEqual(["data", "link.json"]);
  });

  it("is refused where its folder may not be written to", async () => {
    await chmod(folder, 0o555);
    // Root may write anywhere, so for a moment this process is somebody else.
    const root = process.getuid?.() === 0;
    if (root) process.seteuid?.(NOBODY);
    try {
      expect(await refusal(true)).toMatch(/EACCES/);
    } finally {
      if (root) process.seteuid?.(0);
      await chmod(folder, 0o700);
    }
  });
});
