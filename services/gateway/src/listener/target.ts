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
  return decoded.replace(/\/{2,}/g, "/");
}

const CONTROLS = /\p{Cc}/u;

/** `.` and `..`, also before parameters (`..;x`), which some servers cut off before they resolve the dots. */
function isDots(segment: string): boolean {
  const [name] = segment.split(";", 1);
  return name === "." || name === "..";
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
