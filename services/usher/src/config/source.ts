// The file: from a path to a value in which every place still knows its line.

import { open } from "node:fs/promises";
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { formFaults, lastAlias } from "./form.ts";
import { ConfigError, type Path, type Problem } from "./mistake.ts";

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

/** The text of a configuration file. `instead`: what to do where there is no such file. Throws a `ConfigError` where there
 * is none to be had. */
export async function readSource(path: string, instead: string): Promise<string> {
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
    throw refuse(whyUnreadable(error, instead));
  }
}

function whyUnreadable(error: unknown, instead: string): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT") return `there is no such file; ${instead}`;
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
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: "error",
  });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const faults = formFaults(document);
  if (faults.length > 0) {
    const problems = faults.map(({ offset, text }) => ({ path: [], line: lineAt(offset), text }));
    throw new ConfigError(name, onceEach(problems));
  }
  const value = plainValue(document, (text, offset) => {
    const place = offset === undefined ? {} : { line: lineAt(offset) };
    return new ConfigError(name, [{ path: [], ...place, text }]);
  });
  if (value === null || value === undefined)
    throw new ConfigError(name, [{ path: [], text: "is empty; it needs at least queues or routes" }]);
  return { value, lineOf: (path) => lineAt(offsetOf(document, path)) };
}

function onceEach(problems: readonly Problem[]): Problem[] {
  const isSame = (one: Problem) => (other: Problem) => one.line === other.line && one.text === other.text;
  return problems.filter((problem, at) => problems.findIndex(isSame(problem)) === at);
}

/** Refuses the file for what stands there; without a place, for all of it. */
type Refuse = (text: string, offset?: number) => ConfigError;

function plainValue(document: Document, refuse: Refuse): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    if (error instanceof ReferenceError)
      throw refuse(
        `repeats its anchors more than ${ALIASES_MAX} times; write out what is meant`,
        lastAlias(document),
      );
    throw refuse(`cannot be made sense of: ${error instanceof Error ? error.message : String(error)}`);
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
