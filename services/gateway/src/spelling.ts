// Spellings of one path. What is two paths to Usher may be one to a service: many take `/Orders`, `/orders/` and
// `/orders;x=1` for `/orders`, and some decode twice.

import { DECODINGS, decodeAgain } from "./listener/target.ts";

/** The paths that services may take a path for, itself among them, all in small letters and without a slash at the end:
 * decoded up to twice more, each with and without parameters, and with and without what follows a `?` or `#` that was
 * encoded. Fifteen at most. Not paths to send anywhere. `path`: as `readTarget` leaves it, so that decoding yields
 * neither slashes nor dots nor parameters, and it does not matter when a service takes these away. */
export function spellings(path: string): Set<string> {
  const found = new Set<string>();
  let text = path;
  for (let n = 0; n <= DECODINGS; n++) {
    for (const spelling of [text, bare(text), cut(text), bare(cut(text)), cut(bare(text))])
      found.add(folded(spelling));
    const next = decodeAgain(text);
    if (next === text) break;
    text = next;
  }
  return found;
}

/** Without parameters. */
function bare(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

/** Up to where a service that reads a decoded path anew would see a query, or a fragment. */
function cut(path: string): string {
  return path.replace(/[?#].*$/s, "");
}

/** In small letters, without repeated slashes, and without one at the end. */
export function folded(path: string): string {
  const text = path.toLowerCase().replace(/\/{2,}/g, "/");
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}
