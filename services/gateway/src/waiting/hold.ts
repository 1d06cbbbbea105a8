// How long a request that has to wait is held open before its client is sent away with a ticket: so that a short
// burst is only a slow answer, and clients need no change. The route says, or the client, by `Prefer` (RFC 7240).

import type { EdgeRequest } from "../listener/exchange.ts";
import type { Route } from "../route.ts";

/** The longest that a client can ask for by `Prefer: wait=N`, in ms; proxies cut what is silent for longer. */
export const HOLD_MAX_MS = 55_000;

export interface Hold {
  readonly ms: number;
  /** What of the client's wishes is met, for `Preference-Applied`; absent where it has none, or none that count here. */
  readonly applied: string | undefined;
}

/** `wait=N` is seconds, and may be shorter or longer than the route's own hold (4.3); `respond-async` alone is not to
 * wait at all (4.1), and beside a `wait` it is that. */
export function holdOf(route: Route, req: EdgeRequest): Hold {
  const wishes = preferences(`${req.headers.prefer ?? ""}`);
  const seconds = wishes.get("wait");
  if (seconds !== undefined && /^\d{1,6}$/.test(seconds)) {
    const ms = Math.min(HOLD_MAX_MS, Number(seconds) * 1_000);
    return { ms, applied: `wait=${ms / 1_000}` };
  }
  if (wishes.has("respond-async")) return { ms: 0, applied: "respond-async" };
  return { ms: route.hold_ms, applied: undefined };
}

/** The preferences by name, without their parameters; of one that comes twice, the first. */
function preferences(prefer: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [element] of prefer.matchAll(/(?:[^,"]|"[^"]*")+/g)) {
    const [, name, value = ""] =
      /^\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:=\s*"?([^",;\s]*)"?\s*)?(?:;|$)/i.exec(element.trimEnd()) ?? [];
    if (name !== undefined && !found.has(name.toLowerCase())) found.set(name.toLowerCase(), value);
  }
  return found;
}
