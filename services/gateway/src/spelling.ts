// Spellings of one path. What is two paths to Usher may be one to a service: many take `/Orders`, `/orders/` and
// `/orders;x=1` for `/orders`, some decode twice, those on Windows take `/orders.` for it, and those that look names up in
// Unicode's compatibility form `/ｏrders`.

import { DECODINGS, decodeAgain, plain } from "./listener/target.ts";

/** The paths that services may take a path for, itself among them, all in small letters and without a slash at the end:
 * decoded up to twice more, in plain characters or as they are, each with and without parameters, with and without what
 * follows a `?` or `#` that was encoded, and with and without dots and spaces at the ends of its segments. Sixty at most,
 * and mostly one. Not paths to send anywhere. `path`: as `readTarget` leaves it, so that decoding yields neither slashes
 * nor dots nor parameters, and it does not matter when a service takes these away. */
export function spellings(path: string): Set<string> {
  const found = prefixSpellings(path);
  for (const spelling of [...found]) found.add(folded(trimmed(spelling)));
  return found;
}

/** The same of the beginning of a path: whose end is none of a segment, so what stands there counts. */
export function prefixSpellings(path: string): Set<string> {
  const found = new Set<string>();
  addDecoded(found, path, (text) => text);
  if (plain(path) !== path || path.includes("%")) addDecoded(found, path, plain);
  return found;
}

function addDecoded(found: Set<string>, path: string, read: (text: string) => string): void {
  let text = read(path);
  for (let n = 0; n <= DECODINGS; n++) {
    for (const spelling of [text, bare(text), cut(text), bare(cut(text)), cut(bare(text))])
      found.add(folded(spelling));
    const next = read(decodeAgain(text));
    if (next === text) break;
    text = next;
  }
}

/** Without parameters. */
function bare(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

/** Up to where a service that reads a decoded path anew would see a query, or a fragment. */
function cut(path: string): string {
  return path.replace(/[?#].*$/s, "");
}

/** Without dots and spaces at the ends of its segments, which Windows takes off the names of files. */
function trimmed(path: string): string {
  return END.test(path) ? path.split("/").map(trimmedEnd).join("/") : path;
}

const END = /[. ](?:\/|$)/;

/** In time that grows with the segment's length, and not with its square, as with `[. ]+$`. */
function trimmedEnd(segment: string): string {
  let end = segment.length;
  while (segment[end - 1] === "." || segment[end - 1] === " ") end--;
  return segment.slice(0, end);
}

/** In small letters, without repeated slashes, and without one at the end. */
export function folded(path: string): string {
  const text = path.toLowerCase().replace(/\/{2,}/g, "/");
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}
