// The keys' file, rewritten: by one writer at a time, whole or not at all, and still its owner's.

import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeKeys, exposure, KeysError, openKeys, readKeysFile, rotateKey } from "../src/index.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-keys-"));
  file = join(folder, "keys.json");
  await openKeys({ file, create: true });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function rotate() {
  return changeKeys(file, (keys) => rotateKey(keys, "tag", { use_from_ms: 5 }));
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(KeysError);
  expect((error as KeysError).message).toContain(file);
  return (error as KeysError).message;
}

/** A file of the former version, with these secrets. */
async function writeVersionOne(): Promise<void> {
  const [hash, tag, encryption] = ["A", "B", "C"].map((letter) => `${letter.repeat(42)}A`);
  const api_keys = [{ id: "default", key: "usher_the-key-of-the-former-version" }];
  await writeFile(file, JSON.stringify({ version: 1, hash, tag, encryption, api_keys }));
}

describe("a keys' file", () => {
  it("has what was added, and all that was there, when it is read again", async () => {
    const before = await openKeys({ file, create: false });
    const { keys, added } = await rotate();
    expect(await openKeys({ file, create: false })).toEqual(keys);
    expect(keys).toEqual({ ...before, tag: [...before.tag, added] });
    expect(await readdir(folder)).toEqual(["keys.json"]);
  });

  it("loses nothing to several processes that change it at once", async () => {
    const program = fileURLToPath(new URL("./programs/rotate-key.ts", import.meta.url));
    const run = () => promisify(execFile)(process.execPath, [program, file, "5"]);
    await Promise.all([run(), run(), run()]);
    const { tag } = await openKeys({ file, create: false });
    expect(tag).toHaveLength(16);
    expect(await readdir(folder)).toEqual(["keys.json"]);
  });

  it("keeps its mode and its owner, whoever changes it", async () => {
    await chmod(file, 0o640);
    const root = process.getuid?.() === 0;
    if (root) await chown(file, 65534, 65534);
    const before = await stat(file);
    await rotate();
    const { mode, uid, gid, ino } = await stat(file);
    expect({ mode, uid, gid }).toEqual({ mode: before.mode, uid: before.uid, gid: before.gid });
    expect(ino).not.toBe(before.ino);
  });

  it("stays where a link leads", async () => {
    const link = join(folder, "link.json");
    await symlink(file, link);
    await changeKeys(link, (keys) => rotateKey(keys, "tag", { use_from_ms: 5 }));
    expect((await openKeys({ file, create: false })).tag).toHaveLength(2);
    expect((await readdir(folder)).sort()).toEqual(["keys.json", "link.json"]);
  });

  it("is left as it is where the change is refused, where it is broken, and where there is none", async () => {
    const before = await readFile(file, "utf8");
    const twice = changeKeys(file, (keys) => rotateKey(keys, "tag", { id: "first", use_from_ms: 5 }));
    expect(await refusal(twice)).toMatch(/already/);
    expect(await readFile(file, "utf8")).toBe(before);
    await writeFile(file, "{");
    expect(await refusal(rotate())).toMatch(/it is not JSON/);
    expect(await readFile(file, "utf8")).toBe("{");
    await rm(file);
    expect(await refusal(rotate())).toMatch(/no keys' file here; usher init/);
    expect(await readdir(folder)).toEqual([]);
  });

  it("of the former version keeps all that was made with it, and the key to sign with that stood for it", async () => {
    await writeVersionOne();
    const former = await openKeys({ file, create: false });
    expect(former).toMatchObject({
      tag: [{ id: "first", use_from_ms: 0 }],
      encryption: [{ id: "first", use_from_ms: 0 }],
      signing: [{ use_from_ms: 0 }],
    });
    const secrets = [
      former.hash,
      ...[former.tag, former.encryption, former.signing].flat().map((key) => key.secret),
    ];
    expect(new Set(secrets.map((secret) => secret.toString("hex"))).size).toBe(4);
    expect(await openKeys({ file, create: false })).toEqual(former);
    const { added } = await rotate();
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ version: 2 });
    expect(await openKeys({ file, create: false })).toEqual({ ...former, tag: [...former.tag, added] });
  });
});

describe("who else can read the file", () => {
  it.each<[number, boolean]>([
    [0o600, false],
    [0o400, false],
    [0o640, true],
    [0o604, true],
    [0o660, true],
    [0o777, true],
  ])("mode %o: is told of: %j", async (mode, told) => {
    await chmod(file, mode);
    const found = await readKeysFile(file);
    expect(exposure(file, found!)).toEqual(
      told ? expect.stringMatching(new RegExp(`mode 0${mode.toString(8)}.*chmod 600`)) : undefined,
    );
  });
});
