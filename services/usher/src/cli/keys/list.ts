// `usher keys list`.

import type { Keys, Secret } from "@usher/replica";
import { Failure } from "../../failure.ts";
import { print, say } from "../say.ts";
import { columns } from "../text.ts";
import { type FileFlags, keysFile, onKeysFile } from "./place.ts";

export async function listFile(flags: FileFlags): Promise<void> {
  const file = await keysFile(flags);
  const { exposure, parseKeys, readKeysFile } = await import("@usher/replica");
  await onKeysFile(async () => {
    const found = await readKeysFile(file);
    if (found === undefined) throw new Failure(`${file}: there is no keys' file here; usher init makes one`);
    const exposed = exposure(file, found);
    if (exposed !== undefined) say(exposed);
    print(await keysTable(parseKeys(found.text, file), Date.now()));
  });
}

/** A line a key; no secret is in it. */
async function keysTable(keys: Keys, now_ms: number): Promise<string> {
  const { inUse, ROTATED, supersededSince } = await import("@usher/replica");
  const use = (key: Secret, list: readonly Secret[]): string => {
    const since_ms = supersededSince(key, list, now_ms);
    if (since_ms !== undefined) return `superseded since ${moment(since_ms)}`;
    if (key !== inUse(list, now_ms)) return `comes into use at ${moment(key.use_from_ms)}`;
    return key.use_from_ms === 0 ? "in use" : `in use since ${moment(key.use_from_ms)}`;
  };
  return columns([
    ["KIND", "ID", "USE"],
    ["hash", "-", "in use, for good"],
    ...ROTATED.flatMap((kind) => keys[kind].map((key) => [kind, key.id, use(key, keys[kind])])),
    ...keys.api_keys.map(({ id, caller }) => ["api", id, `good, for ${caller ?? id}`]),
  ]);
}

function moment(time_ms: number): string {
  return new Date(time_ms).toISOString().replace(".000Z", "Z");
}
