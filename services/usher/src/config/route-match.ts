// The `match` of a route: `POST /orders`, a path alone for every method, or a map where headers and cookies count, too.

import { Mistake, shown } from "./mistake.ts";
import { kindOf, string } from "./readers.ts";
import { suggestion } from "./suggestion.ts";

/** What a route wants of a header, or of a cookie: exactly this, `true`: any value, `false`: not there. */
export interface Condition {
  readonly name: string;
  readonly value: string | boolean;
}

export interface RouteMatch {
  /** Absent: every method. */
  readonly methods: readonly string[] | undefined;
  readonly path: string;
  /** By name, in small letters. */
  readonly headers: readonly Condition[];
  readonly cookies: readonly Condition[];
}

const WANTED = "a path such as /orders or /checkout/*, with a method before it if only one is meant";
const WANTED_METHODS = "a list of methods in capital letters, such as [GET, POST]";
const WANTED_CONDITIONS =
  "a map from names to the exact value, to true (it is there) or to false (it is not)";
const FIELDS = ["methods", "path", "headers", "cookies"];

/** A longer one is no path that anybody routes by. */
const PATH_LENGTH_MAX = 1_024;

/** Methods, and headers, and cookies, that one match may name. */
const PARTS_MAX = 32;

/** A longer one is in no request that is taken. */
const VALUE_LENGTH_MAX = 4_096;

/** What the gateway keeps for itself. */
const OWN_PREFIX = "/_usher/";

export function routeMatch(value: unknown): RouteMatch {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? fromMap(value as Record<string, unknown>)
    : fromText(value);
}

function fromText(value: unknown): RouteMatch {
  const text = string(value, WANTED).trim();
  const parts = /^(?:([^\s/]+) +)?(\S+)$/.exec(text);
  if (parts === null) throw new Mistake(`${shown(text)} is not a match; give ${WANTED}`);
  const [, method, path = ""] = parts;
  if (method !== undefined && !isMethod(method))
    throw new Mistake(`${shown(text)} has no method in capital letters first; give ${WANTED}`);
  checkPath(path, text);
  return { methods: method === undefined ? undefined : [method], path, headers: [], cookies: [] };
}

function fromMap(map: Record<string, unknown>): RouteMatch {
  const odd = Object.keys(map).find((key) => !FIELDS.includes(key));
  if (odd !== undefined)
    throw new Mistake(
      `${shown(odd)} is not a field here${suggestion(odd, FIELDS)}; known are ${FIELDS.join(", ")}`,
    );
  const path = string(map.path, `a path as path: ${WANTED.replace(/, with.*/, "")}`);
  checkPath(path, path);
  return {
    methods: map.methods === undefined ? undefined : methods(map.methods),
    path,
    headers: conditions(map.headers, "headers").map(({ name, value }) => ({
      name: name.toLowerCase(),
      value,
    })),
    cookies: conditions(map.cookies, "cookies"),
  };
}

function methods(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length === 0 || list.length > PARTS_MAX)
    throw new Mistake(
      `methods ${Array.isArray(value) ? "is a list of none, or of too many" : kindOf(value)}; give ${WANTED_METHODS}`,
    );
  return list.map((method) => {
    if (typeof method === "string" && isMethod(method)) return method;
    throw new Mistake(`${shown(method)} is not a method; give ${WANTED_METHODS}`);
  });
}

function isMethod(text: string): boolean {
  return /^[A-Z][A-Z-]{0,31}$/.test(text);
}

function conditions(value: unknown, what: string): Condition[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Mistake(`${what} ${kindOf(value)}; give ${WANTED_CONDITIONS}`);
  const pairs = Object.entries(value as Record<string, unknown>);
  if (pairs.length > PARTS_MAX) throw new Mistake(`${what} names more than ${PARTS_MAX}; give fewer`);
  return pairs.map(([name, wanted]) => {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(name))
      throw new Mistake(`${shown(name)} is no name that ${what} have; give ${WANTED_CONDITIONS}`);
    if (typeof wanted === "boolean") return { name, value: wanted };
    if (typeof wanted === "string" && wanted.length <= VALUE_LENGTH_MAX && !/\p{Cc}/u.test(wanted))
      return { name, value: wanted };
    const is = typeof wanted === "string" ? "is too long, or has control characters" : kindOf(wanted);
    throw new Mistake(`${what} ${name} ${is}; give ${WANTED_CONDITIONS}, a number in quotes`);
  });
}

function checkPath(path: string, text: string): void {
  const refuse = (why: string): never => {
    throw new Mistake(`${shown(text)} ${why}; give ${WANTED}`);
  };
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
}
