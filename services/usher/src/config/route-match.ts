// The `match` of a route: `POST /orders`, or a path alone for every method.

import { Mistake, shown } from "./mistake.ts";
import { string } from "./readers.ts";

export interface RouteMatch {
  readonly method: string | undefined;
  readonly path: string;
}

const WANTED = "a path such as /orders or /checkout/*, with a method before it if only one is meant";

/** A longer one is no path that anybody routes by. */
const PATH_LENGTH_MAX = 1_024;

/** What the gateway keeps for itself. */
const OWN_PREFIX = "/_usher/";

export function routeMatch(value: unknown): RouteMatch {
  const text = string(value, WANTED).trim();
  const parts = /^(?:([^\s/]+) +)?(\S+)$/.exec(text);
  const refuse = (why: string): never => {
    throw new Mistake(`${shown(text)} ${why}; give ${WANTED}`);
  };
  if (parts === null) return refuse("is not a match");
  const [, method, path = ""] = parts;
  if (method !== undefined && !/^[A-Z][A-Z-]{0,31}$/.test(method))
    refuse("has no method in capital letters first");
  if (!path.startsWith("/")) refuse("has no path that begins with /");
  if (path.length > PATH_LENGTH_MAX) refuse(`has a path longer than ${PATH_LENGTH_MAX} characters`);
  if (/\p{Cc}/u.test(path)) refuse("has control characters in its path");
  if (/[?#]/.test(path)) refuse("has a ? or # in its path, and routes go by the path alone");
  // Routes are matched against decoded paths without dot segments, so such a route would never be taken.
  if (/%/.test(path)) refuse("has a % in its path; write the characters themselves, not their codes");
  if (/\/\/|\\|(^|\/)\.\.?(\/|$)/.test(path)) refuse("has //, \\, . or .. in its path");
  const star = path.indexOf("*");
  if (star !== -1 && star !== path.length - 1) refuse("has a * elsewhere than at the end of its path");
  if (path.startsWith(OWN_PREFIX)) refuse(`is under ${OWN_PREFIX}, which Usher keeps for itself`);
  return { method, path };
}

/** Whether every request that `other` matches is matched by `one` as well, by the rules of the gateway's `Routes`. */
export function covers(one: RouteMatch, other: RouteMatch): boolean {
  if (one.method !== undefined && one.method !== other.method) return false;
  if (!one.path.endsWith("*")) return one.path === other.path;
  const prefix = one.path.slice(0, -1);
  // Of `/checkout/*`, the path `/checkout` is a part.
  return other.path.startsWith(prefix) || (prefix.endsWith("/") && other.path === prefix.slice(0, -1));
}
