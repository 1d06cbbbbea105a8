// The secrets of a deployment, all in one file: what tokens are tagged with, what identities are hashed with, what
// stored requests are encrypted with, and the API keys. Whoever reads it can do everything: mode 0600.

import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

export interface ApiKey {
  /** Names the caller in hashes and logs; not secret. */
  readonly id: string;
  readonly key: string;
}

export interface Keys {
  /** For HMACs of idempotency keys, subjects and requests. Not changed while tickets live. */
  readonly hash: Buffer;
  /** For the tags of ticket tokens. */
  readonly tag: Buffer;
  /** For AES-256-GCM of what is stored. */
  readonly encryption: Buffer;
  readonly api_keys: readonly ApiKey[];
}

const SECRET_BYTES = 32;
const FILE_VERSION = 1;
/** A larger file is not ours. */
const FILE_BYTES_MAX = 1024 * 1024;

export class KeysError extends Error {
  override readonly name = "KeysError";
}

/**
 * Reads the keys' file; makes it, with fresh secrets and one API key, where there is none and `create` says so.
 *
 * @throws KeysError when it is absent (without `create`), cannot be read or made, or is not a keys' file: the message
 * names the file and what to do.
 */
export async function openKeys(options: { file: string; create: boolean }): Promise<Keys> {
  const text = await read(options.file);
  if (text !== undefined) return parse(text, options.file);
  if (!options.create) {
    throw new KeysError(
      `${options.file}: there is no keys' file here. Copy the one that the log's tickets were made with.`,
    );
  }
  await writeOnce(options.file, freshFile()).catch((error: unknown) => {
    throw failure(options.file, "made", error);
  });
  // Another process may have been first: what is there counts.
  const made = await read(options.file);
  if (made === undefined) throw new KeysError(`${options.file}: the keys' file was made, and is not there`);
  return parse(made, options.file);
}

function failure(file: string, what: "read" | "made", cause: unknown): KeysError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new KeysError(`${file}: the keys' file cannot be ${what} (${code ?? message})`, { cause });
}

async function read(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, "utf8");
    if (text.length > FILE_BYTES_MAX) throw new KeysError(`${file}: too large for a keys' file`);
    return text;
  } catch (error) {
    if (error instanceof KeysError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failure(file, "read", error);
  }
}

function freshFile(): string {
  const secret = () => randomBytes(SECRET_BYTES).toString("base64url");
  const file = {
    version: FILE_VERSION,
    hash: secret(),
    tag: secret(),
    encryption: secret(),
    api_keys: [{ id: "default", key: `usher_${secret()}` }],
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Whole or not at all, never over one that is there, and still there after a power loss. */
async function writeOnce(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  // Not by the process's id: two containers that share the folder may both be process 1.
  const temporary = `${file}.${randomBytes(8).toString("hex")}.tmp`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(temporary, text, { flag: "wx", mode: 0o600, flush: true });
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  await using handle = await open(folder);
  await handle.sync();
}

function parse(text: string, file: string): Keys {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new KeysError(`${file}: not a keys' file: it is not JSON`);
  }
  const fields = (typeof content === "object" && content !== null ? content : {}) as Record<string, unknown>;
  if (fields.version !== FILE_VERSION) {
    throw new KeysError(`${file}: not a keys' file of version ${FILE_VERSION}`);
  }
  const secret = (name: string): Buffer => {
    const value = fields[name];
    const bytes = typeof value === "string" ? Buffer.from(value, "base64url") : Buffer.alloc(0);
    if (bytes.length !== SECRET_BYTES) {
      throw new KeysError(`${file}: "${name}" is not ${SECRET_BYTES} bytes of base64url`);
    }
    return bytes;
  };
  return {
    hash: secret("hash"),
    tag: secret("tag"),
    encryption: secret("encryption"),
    api_keys: apiKeys(fields, file),
  };
}

function apiKeys(fields: Record<string, unknown>, file: string): ApiKey[] {
  const list = Array.isArray(fields.api_keys) ? (fields.api_keys as unknown[]) : [];
  return list.map((entry, at) => {
    const { id, key } = (entry ?? {}) as Record<string, unknown>;
    if (typeof id === "string" && id !== "" && typeof key === "string" && key.length >= 22)
      return { id, key };
    throw new KeysError(`${file}: api_keys[${at}] lacks an id, or a key of at least 22 characters`);
  });
}
