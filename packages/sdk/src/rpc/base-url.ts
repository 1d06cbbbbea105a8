// Where servers are, as an option names them.

import { UsherError } from "../errors.ts";

const WANTED = "http://host:port or https://host:port";

/** The nodes that the option `baseUrl` names; throws `misused` where it names none. */
export function nodesIn(baseUrl: unknown): readonly string[] {
  const urls: readonly unknown[] = Array.isArray(baseUrl) ? baseUrl : [baseUrl];
  if (urls.length === 0) throw misused(`baseUrl names no node; it takes ${WANTED}, or several in an array`);
  return urls.map((url) => {
    if (typeof url === "string") return url;
    throw misused(`createClient takes { baseUrl: "http://host:port" }, and baseUrl is ${typeof url}`);
  });
}

/** The origins that the option `origins` names; throws `misused` where one of them is none. */
export function originsIn(origins: readonly string[]): ReadonlySet<string> {
  return new Set(
    origins.map((origin) => serverUrl(origin, { path: false, option: "one of origins" }).origin),
  );
}

export interface UrlTerms {
  /** What it may be relative to; default: nothing. */
  readonly page?: string | undefined;
  /** Whether it may have a path. */
  readonly path: boolean;
  /** What names it, for errors; "baseUrl". */
  readonly option?: string;
}

/** The address of a server. Throws `misused` where it is none, or has in it what would not be heeded: in an error that
 * shows no user, password or query, which may be secret. */
export function serverUrl(baseUrl: string, { page, path, option = "baseUrl" }: UrlTerms): URL {
  const url = URL.canParse(baseUrl, page) ? new URL(baseUrl, page) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const shown = baseUrl.replace(/\/\/.*@/s, "//…@");
    const orNone = option === "baseUrl" ? ", and may be left out in a page alone" : "";
    const what = baseUrl === "" ? "missing" : `"${shown}"`;
    throw misused(`${option} is ${what}; it takes ${WANTED}${orNone}`);
  }
  const { username, password, search, hash, origin, pathname } = url;
  const unheeded = [
    ...(path || pathname === "/" ? [] : [`the path ${pathname}`]),
    ...(username === "" && password === "" ? [] : ["a user (an API key is the option apiKey)"]),
    ...(search === "" ? [] : ["a query"]),
    ...(hash === "" ? [] : ["a fragment"]),
  ];
  if (unheeded.length === 0) return url;
  const short = path ? `${origin}${pathname.replace(/\/$/, "")}` : origin;
  throw misused(`${option} has ${unheeded.join(" and ")}, which would not be heeded: it takes ${short}`);
}

function misused(message: string): UsherError {
  return new UsherError("misused", message);
}
