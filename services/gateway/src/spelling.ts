// Spellings of one path. What is two paths to Usher may be one to a service: many take `/Orders`, `/orders/` and
// `/orders;x=1` for `/orders`, and some decode twice.

import { posix } from "node:path";

/** How often a path is decoded beyond the first time, at most; two: no service decodes three times by accident. */
const DECODINGS = 2;

/** The one spelling that stands for all those of a path that services take for it: in small letters, without
 * parameters, without a slash at the end, decoded until there is nothing to decode. Not a path to send anywhere.
 * `path`: as `readTarget` leaves it. */
export function plain(path: string): string {
  let text = path;
  for (let n = 0; n < DECODINGS && text.includes("%"); n++) text = decoded(text);
  text = text.replaceAll("\\", "/").replace(/;[^/]*/g, "");
  const resolved = posix.normalize(text).toLowerCase();
  return resolved.length > 1 && resolved.endsWith("/") ? resolved.slice(0, -1) : resolved;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A bare % is a character like any other to whoever does not decode again.
    return text;
  }
}
