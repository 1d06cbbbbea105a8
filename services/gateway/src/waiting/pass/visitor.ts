// Who a request to a pass queue is from: whoever holds the cookie that Usher gave, or says the like in a header, or a key
// of their own that nobody guesses, or an API key; else somebody new. None of them is a name: to know who somebody is does
// not make one them.

import { randomBytes } from "node:crypto";
import { type Caller, KEY_LENGTH_MIN } from "@usher/replica";
import { isDisputed, ownCookie, readCookie } from "../../listener/cookies.ts";
import { type Problem, problem } from "../../listener/problem.ts";
import type { Asking } from "./asking.ts";

const COOKIE = "visitor";
/** For programs, which keep no cookies, and for pages, whose first requests are under way before a cookie has come: they
 * make the secret themselves. It is as good as the cookie, which a browser is then given under the same secret. */
const HEADER = "usher-visitor";
/** 128 bits. */
const COOKIE_BYTES = 16;
/** As they are made: 16 bytes in base64url. */
const MADE = /^[A-Za-z0-9_-]{22}$/;

/** A key that could be one: printable, and not endless. */
const KEY = /^[\x20-\x7e]{1,255}$/;

export interface Visitor {
  /** What makes them who they are; secret, for it goes nowhere but into a hash. */
  readonly secret: string;
  /** The value for their cookie; absent where they are known by something else. */
  readonly cookie?: string;
  /** Nothing that they brought tells who they are: they are somebody new, and are whoever is told `cookie`. */
  readonly isNew?: true;
}

/** The name of the cookie. */
export function visitorCookie(secure: boolean): string {
  return ownCookie(COOKIE, secure);
}

/** Who asks; or a problem where somebody may have meddled with their cookies. */
export function visitorOf({ headers, secure }: Asking, caller: Caller): Visitor | Problem {
  const name = visitorCookie(secure);
  // To take either could be to take a place for somebody else's; to take neither, to queue up anew at every request.
  if (isDisputed(headers.cookie, name)) {
    return problem(
      "header_duplicate",
      `more than one cookie ${name} came: clear this site's cookies, and try again`,
    );
  }
  const cookie = readCookie(headers.cookie, name);
  if (cookie !== undefined && MADE.test(cookie)) return { secret: `cookie:${cookie}`, cookie };
  const trusted = caller.id.startsWith("key:");
  const said = headers[HEADER];
  if (said !== undefined) {
    if (MADE.test(said)) return { secret: `cookie:${said}`, cookie: said };
    return problem("request_malformed", `${HEADER} takes 16 random bytes in base64url, 22 characters`);
  }
  const key = headers["idempotency-key"];
  if (key !== undefined && KEY.test(key) && (trusted || key.length >= KEY_LENGTH_MIN)) {
    return { secret: `key:${trusted ? caller.id : ""}:${key}` };
  }
  if (trusted) return { secret: `caller:${caller.id}` };
  const made = randomBytes(COOKIE_BYTES).toString("base64url");
  return { secret: `cookie:${made}`, cookie: made, isNew: true };
}
