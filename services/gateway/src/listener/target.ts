// The request's target: checked, and its path in the one form that routes are matched against.

import { type Problem, problem } from "./problem.ts";

export interface Target {
  /** As it came, and as it is forwarded: path and query. */
  readonly raw: string;
  /** What routes are matched against: percent-decoded as UTF-8, without repeated slashes. Holds no dot segment, and
   * no slash that was not one as it came. */
  readonly path: string;
  /** What follows the first `?`, as it came; undefined without one. */
  readonly query: string | undefined;
}

/** Takes a target apart, or refuses it where it is no path, leaves the origin, or can be read as two paths: a
 * service that decodes, or normalises, in another order than Usher would serve another path than the one that was
 * let through. */
export function readTarget(raw: string): Target | Problem {
  if (!raw.startsWith("/"))
    return problem(
      "target_not_path",
      "the target has to begin with a slash; name the host in the Host header",
    );
  // `//host/x` and `/\host/x` name a host, to whoever resolves them against an origin.
  if (/^\/[/\\]/.test(raw))
    return problem(
      "target_not_path",
      "the target begins with two slashes: as a reference it would name a host",
    );
  if (!/^[!-~]*$/.test(raw) || raw.includes("#"))
    return problem("target_malformed", "the target holds a byte that has to be encoded, or a fragment");

  const mark = raw.indexOf("?");
  const path = readPath(mark < 0 ? raw : raw.slice(0, mark));
  if (typeof path !== "string") return path;
  return { raw, path, query: mark < 0 ? undefined : raw.slice(mark + 1) };
}

function readPath(raw: string): string | Problem {
  const decoded = decode(raw);
  if (decoded === undefined)
    return problem(
      "target_malformed",
      "the path holds a % that is not followed by two hex digits, or is no UTF-8",
    );
  if (CONTROLS.test(decoded))
    return problem("target_malformed", "the path holds an encoded control character");
  if (/\\|%2f|%5c/i.test(raw))
    return problem("target_ambiguous", "the path holds a backslash, or an encoded slash or backslash");
  if (decoded.split("/").some(isDots))
    return problem("target_ambiguous", "the path holds a segment that is `.` or `..`, encoded or not");
  if (isOtherDecodedAgain(decoded))
    return problem(
      "target_ambiguous",
      "the path holds a dot segment, a delimiter or a control character that is encoded twice or more often",
    );
  return decoded.replace(/\/{2,}/g, "/");
}

/** How often a path is decoded beyond the first time, at most; two: no service decodes more often by accident. */
export const DECODINGS = 2;

/** Whether a service that decodes once more than Usher, or twice, reads other segments, or another end of the path. */
function isOtherDecodedAgain(path: string): boolean {
  let text = path;
  for (let n = 0; n < DECODINGS && text.includes("%"); n++) {
    if (ENCODED_DELIMITER.test(text)) return true;
    text = decodeAgain(text);
    if (CONTROLS.test(text) || text.split("/").some(isDots)) return true;
  }
  return false;
}

/** One of `/`, `\`, `;`, `?` and `#`. */
const ENCODED_DELIMITER = /%(?:2f|5c|3b|3f|23)/i;

/** What a path that was decoded becomes if it is decoded again, as leniently as any service may do it: a bare % stays,
 * and so do bytes that are no UTF-8. */
export function decodeAgain(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => decode(escapes) ?? escapes.replace(ASCII, charOf));
}

const ASCII = /%([0-7][0-9a-f])/gi;

function charOf(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

/** A text as programs see it that compare in Unicode's compatibility form (NFKC), and leave out what is not shown:
 * letters of full width are letters, and a space without a width is none. */
export function plain(text: string): string {
  return ASCII_ONLY.test(text) ? text : text.normalize("NFKC").replace(IGNORABLE, "");
}

const ASCII_ONLY = /^[\0-\x7f]*$/;
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

const CONTROLS = /\p{Cc}/u;

/** `.` and `..`, also before parameters (`..;x`), or a query once it is decoded: some servers cut these off before they
 * resolve the dots, and Windows does so with spaces. */
function isDots(segment: string): boolean {
  return /^\.\.? *(?:[;?#]|$)/.test(plain(segment));
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined where an escape is broken, or the bytes are no UTF-8. */
function decode(raw: string): string | undefined {
  if (!raw.includes("%")) return raw;
  if (/%(?![0-9a-f]{2})/i.test(raw)) return undefined;
  const bytes = raw.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return undefined;
  }
}
