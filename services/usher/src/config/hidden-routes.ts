// Routes that no request ever takes, by the rules of the gateway's `Routes`: the first that fits counts, and what fits a
// queue's route in another spelling waits with the others, unless a route says exactly that path. Such a route would leave
// its requests to another's queue, or to none, without a word.

import type { RouteMatch } from "./route-match.ts";

/** A route where it stands. */
export interface Placed {
  /** Which of the file's routes it is, from 0. */
  readonly at: number;
  readonly match: RouteMatch;
  /** Whether it leads to a queue. */
  readonly queued: boolean;
  /** As what the gateway takes its path besides: in small letters, and, where it leads to a queue, without parameters. */
  readonly patterns: readonly string[];
}

export function placed({ at, match, queued }: Omit<Placed, "patterns">): Placed {
  const { path } = match;
  const patterns = queued ? [folded(path), folded(path.replace(PARAMETERS, ""))] : [folded(path)];
  return { at, match, queued, patterns };
}

export interface Hider {
  readonly route: Placed;
  /** Whether it is only in another spelling that it takes everything. */
  readonly bySpelling: boolean;
}

/** The route that takes all requests of this one; undefined where something is left to it. */
export function hiderOf(route: Placed, routes: readonly Placed[]): Hider | undefined {
  const first = routes.find(({ at, match }) => at < route.at && covers(match, route.match));
  if (first !== undefined) return { route: first, bySpelling: false };
  const other = routes.find((one) => takesSpellings(one, route, routes));
  return other && { route: other, bySpelling: true };
}

/** Whether every request that `other` matches is matched by `one` as well, letter for letter. */
function covers(one: RouteMatch, other: RouteMatch): boolean {
  return coversPath(one.path, other.path) && coversRest(one, other);
}

/** Whether whatever meets what the other wants beside the path meets this. */
function coversRest(one: RouteMatch, other: RouteMatch): boolean {
  return (
    coversMethods(one.methods, other.methods) &&
    wantsNoMore(one.headers, other.headers) &&
    wantsNoMore(one.cookies, other.cookies)
  );
}

function coversMethods(one: RouteMatch["methods"], other: RouteMatch["methods"]): boolean {
  if (one === undefined) return true;
  if (other === undefined) return false;
  return other.every((method) => one.includes(method) || (method === "HEAD" && one.includes("GET")));
}

function coversPath(one: string, other: string): boolean {
  if (!isOpenEnded(one)) return one === other;
  const prefix = one.slice(0, -1);
  // Of `/checkout/*`, the path `/checkout` is a part.
  return other.startsWith(prefix) || (prefix.endsWith("/") && other === prefix.slice(0, -1));
}

/** Whether whatever meets the others' conditions meets these. */
function wantsNoMore(conditions: RouteMatch["headers"], others: RouteMatch["headers"]): boolean {
  return conditions.every(({ name, value }) =>
    others.some(
      (other) => other.name === name && (other.value === value || (value === true && other.value !== false)),
    ),
  );
}

function isOpenEnded(path: string): boolean {
  return path.endsWith("*");
}

/** Whether all requests of a route with a `*` wait in the queue of this one, in another spelling. One that says exactly its
 * path has it in any case. Where another route may take some of them, none of this is said: it is an odd file, and may be
 * meant. */
function takesSpellings(one: Placed, route: Placed, routes: readonly Placed[]): boolean {
  if (!one.queued || one.at === route.at || !isOpenEnded(route.match.path)) return false;
  if (!coversRest(one.match, route.match)) return false;
  const isTaken = (spelling: string): boolean =>
    one.patterns.some((pattern) => coversPath(pattern, spelling)) &&
    !routes.some((between) => mayOpen(between, spelling, one, route));
  const isFirst = one.at < route.at;
  // Whatever it takes fits the last of its patterns as well, without its parameters.
  if (route.queued) return isFirst && route.patterns.slice(-1).every(isTaken);
  // A request for an open route waits as soon as one of its spellings leads to a queue: its own, if that comes first.
  const { path } = route.match;
  const spellings = [
    ...(isFirst ? [folded(path)] : []),
    ...(path.includes(";") ? [withoutParameters(path)] : []),
  ];
  return spellings.some(isTaken);
}

/** Whether a route without a queue, before the one that takes these spellings, lets some of them through. */
function mayOpen(between: Placed, spelling: string, one: Placed, route: Placed): boolean {
  if (between.queued || between.at >= one.at || between.at === route.at) return false;
  // What fits it letter for letter is not the route's in any case.
  if (between.at < route.at && coversPath(between.match.path, route.match.path)) return false;
  return between.patterns.some((opened) => coversPath(opened, spelling) || coversPath(spelling, opened));
}

/** The parameters of a path's segments, but not the `*` at its end. */
const PARAMETERS = /;[^/*]*/g;

/** In small letters, and without a slash at the end. */
function folded(path: string): string {
  const text = path.toLowerCase();
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}

/** What is left of all paths under a pattern with parameters, without them. A `*` among them ends at the next slash. */
function withoutParameters(path: string): string {
  return folded(path.replace(/;[^/*]*\*$/, "/*").replace(PARAMETERS, ""));
}
