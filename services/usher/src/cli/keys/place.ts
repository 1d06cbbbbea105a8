// Which file of keys is meant: that of --keys, that of the configuration, or the one that a node makes beside its data.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { Failure, UsageError } from "../../failure.ts";

/** The configuration, and the file of keys without one, where no flag names another. */
const CONFIG_FILE = "usher.yaml";
const KEYS_FILE = "data/usher.keys.json";

export interface FileFlags {
  readonly keys?: string;
  readonly config?: string;
}

/** Throws a `UsageError` where nothing says which, and a `ConfigError` for a configuration with mistakes. */
export async function keysFile({ keys, config }: FileFlags): Promise<string> {
  if (keys !== undefined) return resolve(keys);
  if (config !== undefined || existsSync(CONFIG_FILE)) return (await loadConfig(config ?? CONFIG_FILE)).keys;
  if (existsSync(KEYS_FILE)) return resolve(KEYS_FILE);
  throw new UsageError(
    `there is neither ${CONFIG_FILE} nor ${KEYS_FILE} here: name the file of keys with --keys, or --config`,
  );
}

/** What can be read and mended in the file of keys is told as a `Failure`. */
export async function onKeysFile<Result>(work: () => Promise<Result>): Promise<Result> {
  // Here, and not above: the other commands do not need a server's modules.
  const { KeysError } = await import("@usher/replica");
  try {
    return await work();
  } catch (error) {
    throw error instanceof KeysError ? new Failure(error.message, { cause: error }) : error;
  }
}
