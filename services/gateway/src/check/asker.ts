// Who may ask whether a request may go through: a proxy of `trusted_proxies`, by the address that is connected here.
//
// The answer tells what the visitor's cookies hide: the pass, and for nginx the visitor's own cookie. A script in a page
// of the service has these cookies sent along, and must not come to read the answer, whichever way it asks:
//
//   from the visitor's browser straight away     its address is no proxy's
//   through a proxy, as any request               the proxy passes it on without the mark below, which no script can set
//   at the path, through the examples' proxies    they answer it with 404
//
// Who asks with other means than a page's script, and brings the cookies, has read them already.

import { isFromProxy } from "../listener/client.ts";
import type { EdgeRequest } from "../listener/exchange.ts";
import { type Problem, problem } from "../listener/problem.ts";

/** By which a proxy says, with the value 1, that it asks itself. Browsers let no script set a header whose name begins so
 * (Fetch standard, "forbidden request-header"). */
export const MARK = "sec-usher-check";

const UNTRUSTED = problem(
  "asker_refused",
  "proxies alone may ask whether a request may go through: name the address of the one that asks in trusted_proxies, or ask at the path that needs to go through",
);

const UNMARKED = problem(
  "asker_refused",
  "this may be a client's request that a proxy has passed on: where the proxy itself asks, and nowhere else, have it set the header Sec-Usher-Check: 1",
);

/** Undefined for a proxy's own question. */
export function checkAsker(req: EdgeRequest): Problem | undefined {
  return checkCaller(req) ?? (req.headers[MARK] === "1" ? undefined : UNMARKED);
}

/** The same without the mark: for a question that tells the visitor's cookies in its message, so that no browser can put
 * into it what its page's script does not know. */
export function checkCaller(req: EdgeRequest | undefined): Problem | undefined {
  return req !== undefined && isFromProxy(req) ? undefined : UNTRUSTED;
}
