// Which requests go where: the first route that fits counts.
//
// Paths are matched as they are written, letter for letter. But a service may take for one path what is two to Usher
// (spelling.ts), and nobody may get round a queue by spelling: what fits a queue's route in another spelling waits with
// the others, unless a route says exactly that path.

import type { Lines } from "./listener/exchange.ts";
import { folded, prefixSpellings, spellings } from "./spelling.ts";

/** The part of a path after which anything may follow. */
const WILDCARD = "*";

/** What a route wants of a header, or of a cookie. */
export interface Condition {
  /** Of a header in small letters; of a cookie as it is spelled. */
  readonly name: string;
  /** Exactly this, `true`: any value, `false`: not there at all. Of several of the name, one is enough. */
  readonly value: string | boolean;
}

/** Which headers of a request are stored with its ticket. What Usher sets, and what the body cannot be read without,
 * are in any case. */
export type StoredHeaders = { readonly only: readonly string[] } | { readonly without: readonly string[] };

export interface Route {
  /** Absent: every method. `GET` means HEAD as well. */
  readonly methods?: readonly string[] | undefined;
  /** A path, with or without a `*` at its end, which stands for anything. */
  readonly path: string;
  /** All of them have to hold; none by default. */
  readonly headers?: readonly Condition[] | undefined;
  /** All of them have to hold; none by default. */
  readonly cookies?: readonly Condition[] | undefined;
  /** The name of a service. */
  readonly service: string;
  /** The name of a queue; absent: straight through, always. */
  readonly queue?: string | undefined;
  /** A newcomer whose wait is likely to be longer is refused at once, in ms; absent: nobody is. */
  readonly max_wait_ms?: number | undefined;
  /** How long a request that has to wait is held open before it is answered 202, in ms. */
  readonly hold_ms: number;
  /** How long the service may take, in ms: until its answer begins, or to its end where the request was stored. */
  readonly timeout_ms: number;
  /** How long the service may be silent within an answer, in ms; absent: `SERVICE_LIMITS`. */
  readonly silence_ms?: number | undefined;
  /** Whether a connection may go on in another protocol, such as WebSocket's; default false. */
  readonly upgrade?: boolean;
  /** Whether a request may be sent again though it may have been carried out. Safe methods always may. */
  readonly idempotent: boolean;
  /** The largest body that is stored, in bytes. */
  readonly body_bytes: number;
  /** The largest response that is stored, in bytes. */
  readonly response_bytes: number;
  /** In small letters. Absent: all. */
  readonly stored_headers?: StoredHeaders | undefined;
}

/** What of a request routes look at. */
export interface Asked {
  readonly method: string;
  /** Decoded and unambiguous, as the door leaves it. */
  readonly path: string;
  /** The headers, as they came. */
  readonly lines: Lines;
}

/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** `usher.yaml` is refused where a route is never found here: `hidden-routes.ts` of the program knows these rules as well, and
 * its tests compare the two. */
export class Routes {
  readonly #routes: readonly { readonly route: Route; readonly patterns: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, patterns: patternsOf(route) }));
  }

  find(asked: Asked): Route | undefined {
    const exact = this.#routes.find(
      ({ route }) => fitsPath(route.path, asked.path) && fitsRest(route, asked),
    );
    // What no route fits goes nowhere, however it is spelled.
    if (exact === undefined || says(exact.route.path, asked.path)) return exact?.route;
    // Nobody knows which of the spellings the service goes by: one that leads to a queue is enough.
    const fitting = this.#routes.filter(({ route }) => fitsRest(route, asked));
    const others = [...spellings(asked.path)].map((spelling) =>
      fitting.findIndex(({ patterns }) => patterns.some((pattern) => fitsPath(pattern, spelling))),
    );
    const first = Math.min(...others.filter((at) => fitting[at]?.route.queue !== undefined));
    return fitting[first]?.route ?? exact.route;
  }
}

/** Whether sending a request a second time does no harm. */
export function isIdempotent(route: Route, method: string): boolean {
  return route.idempotent || SAFE_METHODS.has(method);
}

/** Whether a route means this path and no other. */
function says(pattern: string, path: string): boolean {
  return pattern === path && !pattern.endsWith(WILDCARD);
}

/** A route's path in all its spellings, where it leads to a queue. An open route means what it says: `/orders;status`
 * opens no `/orders`. */
function patternsOf({ path, queue }: Route): string[] {
  const spelled = (text: string, all: typeof spellings) =>
    queue === undefined ? [folded(text)] : [...all(text)];
  if (!path.endsWith(WILDCARD)) return spelled(path, spellings);
  const prefix = path.slice(0, -WILDCARD.length);
  if (!prefix.endsWith("/") || prefix === "/")
    return spelled(prefix, prefixSpellings).map((spelling) => `${spelling}${WILDCARD}`);
  return spelled(prefix, spellings).map((spelling) => `${spelling}/${WILDCARD}`);
}

function fitsPath(pattern: string, path: string): boolean {
  if (!pattern.endsWith(WILDCARD)) return path === pattern;
  const prefix = pattern.slice(0, -WILDCARD.length);
  // `/checkout/*` is also `/checkout`, for nobody who writes it means that one to be open.
  return path.startsWith(prefix) || (prefix.endsWith("/") && path === prefix.slice(0, -1));
}

/** All that a route wants beside the path. */
function fitsRest({ methods, headers, cookies }: Route, { method, lines }: Asked): boolean {
  if (methods !== undefined && !methods.includes(method) && !(method === "HEAD" && methods.includes("GET")))
    return false;
  if (headers?.length && !headers.every((wanted) => holds(wanted, valuesOf(lines, wanted.name))))
    return false;
  if (!cookies?.length) return true;
  const sent = valuesOf(lines, "cookie").flatMap(crumbs);
  return cookies.every((wanted) =>
    holds(
      wanted,
      sent.filter(([name]) => name === wanted.name).map(([, value]) => value),
    ),
  );
}

function holds({ value }: Condition, sent: readonly string[]): boolean {
  return typeof value === "boolean" ? sent.length > 0 === value : sent.includes(value);
}

function valuesOf(lines: Lines, name: string): string[] {
  return lines.filter((_, at) => at % 2 === 1 && lines[at - 1]?.toLowerCase() === name);
}

/** The cookies of one line, as pairs (RFC 6265, 4.2.1). */
function crumbs(line: string): (readonly [name: string, value: string])[] {
  return line.split(";").map((crumb) => {
    const mark = crumb.indexOf("=");
    return [crumb.slice(0, Math.max(0, mark)).trim(), crumb.slice(mark + 1).trim()];
  });
}
