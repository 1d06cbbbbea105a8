// What becomes of a set of keys when it is rotated, revoked and pruned; and that a wait in the middle of it goes on.

import { describe, expect, it } from "vitest";
import {
  addApiKey,
  freshKeys,
  inUse,
  type Keys,
  KeysError,
  LiveKeys,
  pruneKeys,
  revokeApiKey,
  rotateKey,
  type Secret,
  supersededSince,
} from "../src/index.ts";
import { Cipher } from "../src/keys/cipher.ts";
import { type TokenClaims, Tokens } from "../src/keys/tokens.ts";

const NOW_MS = Date.UTC(2026, 10, 22);
const CLAIMS: TokenClaims = { queue: "q", epoch: "0123456789abcdef", number: 1, as_of: 1 };
const NAME = { session: 1n, sequence: 1, attempt: 0 };
const PLAIN = Buffer.from("one seat");

function listOf(...uses_ms: number[]): Secret[] {
  return uses_ms.map((use_from_ms, at) => ({ id: `${at}`, secret: Buffer.alloc(32, at), use_from_ms }));
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(KeysError);
    return (error as KeysError).message;
  }
  throw new Error("not refused");
}

describe("of a list of keys", () => {
  it.each<[string, number[], number]>([
    ["the only one", [0], 0],
    ["the one that came into use last", [0, 10, 20], 2],
    ["wherever it stands in the list", [20, 0, 10], 0],
    ["not one that is yet to come", [0, 10, NOW_MS + 1], 1],
    ["from its very moment on", [0, NOW_MS], 1],
    ["of two that came at once, the later", [5, 5], 1],
    ["the one that comes first, where all are yet to come", [NOW_MS + 9, NOW_MS + 5, NOW_MS + 7], 1],
  ])("%s makes", (_, uses_ms, at) => {
    expect(inUse(listOf(...uses_ms), NOW_MS).id).toBe(`${at}`);
  });

  it("each is superseded when the next comes into use, and the one in use is not", () => {
    const list = listOf(0, 10, 20, NOW_MS + 1);
    expect(list.map((key) => supersededSince(key, list, NOW_MS))).toEqual([10, 20, undefined, undefined]);
    const twins = listOf(5, 5);
    expect(twins.map((key) => supersededSince(key, twins, NOW_MS))).toEqual([5, undefined]);
  });
});

describe("rotating", () => {
  it("adds a key of its own name that is used later, and changes nothing else", () => {
    const keys = freshKeys();
    for (const kind of ["tag", "encryption", "signing"] as const) {
      const { keys: rotated, added } = rotateKey(keys, kind, { use_from_ms: NOW_MS });
      expect(rotated).toEqual({ ...keys, [kind]: [...keys[kind], added] });
      expect(added).toMatchObject({ id: expect.stringMatching(/^[\w-]{12,43}$/), use_from_ms: NOW_MS });
      expect(added.secret.equals(keys[kind][0]!.secret)).toBe(false);
    }
  });

  it("refuses an id that is there, one that is none, and one key more than there may be", () => {
    let keys = freshKeys();
    expect(refusal(() => rotateKey(keys, "tag", { id: "first", use_from_ms: 0 }))).toMatch(/already.*--id/);
    expect(refusal(() => rotateKey(keys, "tag", { id: "a b", use_from_ms: 0 }))).toMatch(/is not an id/);
    for (let n = 1; n < 40; n++) keys = rotateKey(keys, "tag", { use_from_ms: NOW_MS + n }).keys;
    expect(refusal(() => rotateKey(keys, "tag", { use_from_ms: 0 }))).toMatch(/40 tag keys.*prune/);
  });

  it("adds an API key of the same caller, by whose name retries are known", () => {
    const keys = freshKeys();
    const { keys: two, added } = addApiKey(keys, {});
    expect(added).toEqual({ id: "default-2", caller: "default", key: expect.stringMatching(/^usher_/) });
    expect(addApiKey(two, {}).added).toMatchObject({ id: "default-3", caller: "default" });
    const { keys: three } = addApiKey(two, { id: "till", caller: "till" });
    expect(three.api_keys.at(-1)).toEqual({ id: "till", key: expect.any(String) });
    expect(refusal(() => addApiKey(three, {}))).toMatch(/--caller; there are: default, till/);
    expect(refusal(() => addApiKey(two, { id: "default" }))).toMatch(/already/);
  });

  it("takes an API key out, and says which there are when it is none of them", () => {
    const { keys } = addApiKey(freshKeys(), {});
    expect(revokeApiKey(keys, "default").api_keys.map(({ id }) => id)).toEqual(["default-2"]);
    expect(refusal(() => revokeApiKey(keys, "other"))).toMatch(/"other"; there are: default, default-2/);
  });
});

describe("pruning", () => {
  it("removes what has been superseded for so long, and never what is in use or to come", () => {
    const keys: Keys = { ...freshKeys(), tag: listOf(0, 10, 20, NOW_MS + 1), encryption: listOf(0) };
    const removed = (before_ms: number) =>
      pruneKeys(keys, { before_ms, now_ms: NOW_MS }).removed.map(({ kind, id }) => `${kind} ${id}`);
    expect(removed(9)).toEqual([]);
    expect(removed(10)).toEqual(["tag 0"]);
    expect(removed(NOW_MS)).toEqual(["tag 0", "tag 1"]);
    const kinds = ["encryption", "signing"] as const;
    expect(pruneKeys(keys, { kinds, before_ms: NOW_MS, now_ms: NOW_MS }).removed).toEqual([]);
    const { keys: pruned } = pruneKeys(keys, { before_ms: NOW_MS, now_ms: NOW_MS });
    expect(pruned).toEqual({ ...keys, tag: keys.tag.slice(2) });
  });
});

describe("keys that change in the middle of a wait", () => {
  it("still know the tokens of before, and make new ones with the new key once it is in use", () => {
    const live = new LiveKeys(freshKeys());
    const before = { tag: live.tag };
    let now_ms = NOW_MS;
    const tokens = new Tokens(live, () => now_ms);
    const old = tokens.mint(CLAIMS);
    const { keys, added } = rotateKey(live.current, "tag", { use_from_ms: NOW_MS + 1_000 });
    expect(live.replace(keys)).toEqual({ changed: expect.stringContaining(`new tag: ${added.id}`) });
    expect(tokens.mint(CLAIMS)).toBe(old);
    now_ms += 1_000;
    const young = tokens.mint(CLAIMS);
    expect(young).not.toBe(old);
    expect([old, young].map((token) => tokens.verify(token))).toEqual([CLAIMS, CLAIMS]);
    expect(new Tokens(before).verify(young)).toBeUndefined();
    expect(live.replace(pruneKeys(live.current, { before_ms: now_ms, now_ms }).keys)).toEqual({
      changed: "tag no longer good: first",
    });
    expect([old, young].map((token) => tokens.verify(token))).toEqual([undefined, CLAIMS]);
  });

  it("still open what was sealed before, by the key that its head names", () => {
    const live = new LiveKeys(freshKeys());
    let now_ms = NOW_MS;
    const cipher = new Cipher(live, () => now_ms);
    const old = cipher.seal(NAME, PLAIN);
    const { keys, added } = rotateKey(live.current, "encryption", { use_from_ms: NOW_MS + 1_000 });
    live.replace(keys);
    expect(Buffer.from(cipher.seal(NAME, PLAIN)).toString("latin1")).not.toContain(added.id);
    now_ms += 1_000;
    const young = cipher.seal(NAME, PLAIN);
    expect(Buffer.from(young).toString("latin1")).toContain(added.id);
    expect([old, young].map((sealed) => Buffer.from(cipher.open(NAME, sealed)!))).toEqual([PLAIN, PLAIN]);
    live.replace({ ...keys, encryption: [added] });
    expect(cipher.open(NAME, old)).toBeUndefined();
    expect(cipher.open(NAME, young)).toBeDefined();
  });

  it("are refused with another hash key, and stay what they were", () => {
    const keys = freshKeys();
    const live = new LiveKeys(keys);
    expect(live.replace(freshKeys())).toEqual({
      refused: expect.stringMatching(/"hash" is another one.*restore/),
    });
    expect(live.current).toBe(keys);
    expect(live.replace({ ...keys, tag: [...keys.tag] })).toEqual({ changed: undefined });
  });

  it("are told of without any secret", () => {
    const live = new LiveKeys(freshKeys());
    const added = rotateKey(addApiKey(freshKeys(), {}).keys, "tag", { use_from_ms: NOW_MS }).keys;
    const replaced = live.replace({ ...added, hash: live.hash });
    const told = "changed" in replaced ? (replaced.changed ?? "") : "";
    expect(told).toMatch(/new tag: .*first.*in use from 2026-11-22.*new api key: default, default-2/);
    for (const { secret } of [...added.tag, ...added.signing, ...added.encryption])
      for (const spelling of ["base64url", "hex"] as const)
        expect(told).not.toContain(secret.toString(spelling));
    for (const { key } of added.api_keys) expect(told).not.toContain(key);
  });
});
