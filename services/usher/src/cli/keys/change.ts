// `usher keys rotate`, `revoke` and `prune`: the file is rewritten, whole, under a lock.

import { formatDuration } from "../../config/duration.ts";
import { UsageError } from "../../failure.ts";
import { print, say } from "../say.ts";
import type { RotatedKind } from "./command.ts";
import { type FileFlags, keysFile, onKeysFile } from "./place.ts";

/** How long after it was made a key comes into use, in milliseconds; two minutes, in which a file can be copied to all
 * nodes. */
const IN_MS = 2 * 60_000;

export interface RotateFlags extends FileFlags {
  readonly id?: string;
  readonly in?: number;
  readonly caller?: string;
}

export async function rotateInFile(kind: RotatedKind, flags: RotateFlags): Promise<void> {
  if (kind === "api" && flags.in !== undefined)
    throw new UsageError("a new API key is good at once: leave --in out");
  if (kind !== "api" && flags.caller !== undefined) throw new UsageError("--caller goes with api alone");
  const file = await keysFile(flags);
  const { id, caller } = flags;
  const { addApiKey, changeKeys, rotateKey } = await import("@usher/replica");
  await onKeysFile(async () => {
    if (kind === "api") {
      const { added } = await changeKeys(file, (keys) => addApiKey(keys, { id, caller }));
      say(`${file}: API key ${added.id} is good from now on, and shown only now (on standard output)`);
      print(added.key);
      return;
    }
    const in_ms = flags.in ?? IN_MS;
    const use_from_ms = Date.now() + in_ms;
    const { added } = await changeKeys(file, (keys) => rotateKey(keys, kind, { id, use_from_ms }));
    say(
      `${file}: ${kind} key ${added.id} comes into use at ${new Date(use_from_ms).toISOString()}, in ` +
        `${formatDuration(in_ms)}; nodes with a copy of the file need it before then`,
    );
    print(added.id);
  });
}

export async function revokeInFile(id: string, flags: FileFlags): Promise<void> {
  const file = await keysFile(flags);
  const { changeKeys, revokeApiKey } = await import("@usher/replica");
  const { keys } = await onKeysFile(() => changeKeys(file, (keys) => ({ keys: revokeApiKey(keys, id) })));
  say(`${file}: API key ${id} is no longer good; nodes with a copy of the file need it, too`);
  if (keys.api_keys.length === 0)
    say("no API key is left, so backends and operators are refused; usher keys rotate api makes one");
}

export async function pruneFile(
  kind: Exclude<RotatedKind, "api"> | undefined,
  flags: FileFlags & { readonly olderThan: number },
): Promise<void> {
  const file = await keysFile(flags);
  const { changeKeys, pruneKeys } = await import("@usher/replica");
  const now_ms = Date.now();
  const before_ms = now_ms - flags.olderThan;
  const kinds = kind && [kind];
  const { removed } = await onKeysFile(() =>
    changeKeys(file, (keys) => pruneKeys(keys, { kinds, before_ms, now_ms })),
  );
  const ids = removed.map(({ kind, id }) => `${kind} ${id}`).join(", ");
  const age = formatDuration(flags.olderThan);
  if (ids === "") say(`${file}: no key was superseded ${age} ago or earlier; all stay`);
  else say(`${file}: removed ${ids}, superseded ${age} ago or earlier`);
}
