// The file: from a path to a value in which every place still knows its line.

import { open } from "node:fs/promises";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { ConfigError, type Path } from "./mistake.ts";

/** The largest file that is read, in bytes: room for a thousand queues and routes. */
export const FILE_BYTES_MAX = 256 * 1024;

/** How often anchors may be repeated, all together, before the file is taken for a bomb. */
const ALIASES_MAX = 100;

export interface Source {
  /** What stands in the file. */
  readonly value: unknown;
  /** The line of what is at the path, or of the nearest thing around it that is there. */
  lineOf(path: Path): number;
}

/** The text of a configuration file. Throws a `ConfigError` where there is none to be had. */
export async function readSource(path: string): Promise<string> {
  const refuse = (text: string): ConfigError => new ConfigError(path, [{ path: [], text }]);
  try {
    await using file = await open(path, "r");
    const stat = await file.stat();
    if (stat.isDirectory()) throw refuse("is a directory; name the file in it");
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = (await file.read(bytes, length, bytes.length - length)).bytesRead;
    if (length > FILE_BYTES_MAX)
      throw refuse(`is larger than ${FILE_BYTES_MAX} bytes, so it is hardly a configuration`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw refuse(whyUnreadable(error));
  }
}

function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT")
    return "there is no such file; name one with --config, or protect an app without (--to)";
  if (code === "EACCES" || code === "EPERM") return "may not be read; look at its permissions and its owner";
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "is not UTF-8 text";
  return `cannot be read (${code || String(error)})`;
}

/** Reads YAML. Throws a `ConfigError` with every error in its form. */
export function parseSource(name: string, text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    logLevel: "error",
  });
  const faults = [...document.errors, ...document.warnings].map((fault) => ({
    offset: fault.pos[0],
    text: faultText(fault),
  }));
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      faults.push({
        offset: alias.range?.[0] ?? 0,
        text: `*${alias.source}: there is no anchor of that name`,
      });
    },
  });
  if (faults.length > 0) {
    const problems = faults.map(({ offset, text }) => ({ path: [], line: lines.linePos(offset).line, text }));
    throw new ConfigError(name, problems);
  }
  const value = plainValue(name, document);
  if (value === null || value === undefined)
    throw new ConfigError(name, [{ path: [], text: "is empty; it needs at least queues or routes" }]);
  return { value, lineOf: (path) => lines.linePos(offsetOf(document, path)).line };
}

function faultText(fault: YAMLError): string {
  if (fault.code === "DUPLICATE_KEY") return "the same name stands twice; keep one of the two";
  if (fault.code === "MULTIPLE_DOCS") return "a second document begins here (---); keep one";
  return fault.message;
}

function plainValue(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    const text = `repeats its anchors more than ${ALIASES_MAX} times; write out what is meant`;
    throw new ConfigError(name, [{ path: [], text }]);
  }
}

/** Where in the text the path leads, or how far it does. */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value ?? "") === String(step));
      if (pair === undefined) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number") {
      const item = node.items[step];
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}
