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
const MARK = "sec-usher-check";

const UNTRUSTED = problem(
  "asker_refused",
  "proxies alone may ask whether a request may go through: have trusted_proxies name the address of the one that asks",
);

const UNMARKED = problem(
  "asker_refused",
  "this may be a client's request that a proxy has passed on: where the proxy itself asks, and nowhere else, have it set the header Sec-Usher-Check: 1 (Envoy: initial_metadata)",
);

/** Undefined for a proxy's own question. `req`: absent where nobody knows who asks. */
export function checkAsker(req: EdgeRequest | undefined): Problem | undefined {
  if (req === undefined || !isFromProxy(req)) return UNTRUSTED;
  return req.headers[MARK] === "1" ? undefined : UNMARKED;
}
