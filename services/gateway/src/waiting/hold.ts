// How long a request that has to wait is held open before its client is sent away with a ticket: so that a short
// burst is only a slow answer, and clients need no change.

import type { EdgeRequest } from "../listener/exchange.ts";
import type { Route } from "../route.ts";

/** The longest that a client can ask for by `Prefer: wait=N`, in ms; proxies cut what is silent for longer. */
export const HOLD_MAX_MS = 55_000;

/** The route's hold, or what the client prefers (RFC 7240, 4.3), which may be shorter or longer. */
export function hold_ms(route: Route, req: EdgeRequest): number {
  const prefer = req.headers.prefer;
  const [, seconds] = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:[,;]|$)/i.exec(`${prefer ?? ""}`) ?? [];
  return seconds === undefined ? route.hold_ms : Math.min(HOLD_MAX_MS, Number(seconds) * 1000);
}
