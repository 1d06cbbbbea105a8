// Whether this node lives, whether it is ready, and what it answers while it is not. Who asks for that is told, and not
// refused: load balancers ask every second, and nobody is turned away by it.

import type { EdgeRequest, EdgeResponse } from "./listener/exchange.ts";
import { endThenLinger } from "./listener/linger.ts";
import { answerProblem, documentOf, type Problem, problem } from "./listener/problem.ts";
import { respond } from "./listener/respond.ts";
import type { Target } from "./listener/target.ts";

/** After how many seconds a client should come back to a node that starts; 5: a log that cannot be reached comes back
 * within seconds or not at all soon, and other nodes may take the client meanwhile. */
const STARTING_RETRY_S = 5;

/** The same of a node that shuts down or has fallen behind, for another one is there at once; 1. */
const UNREADY_RETRY_S = 1;

export function answerWell(res: EdgeResponse): void {
  const headers = { "content-type": "text/plain", "content-length": "3", "cache-control": "no-store" };
  respond(res, 200, Object.entries(headers), Buffer.from("ok\n"));
}

export function answerUnready(req: EdgeRequest, res: EdgeResponse): void {
  const why = "this node is shutting down, or cannot follow the log";
  tell(req, res, problem("not_ready", why, UNREADY_RETRY_S));
}

/** Of a node that starts: it lives, and is ready for nothing. RPC clients take the status for UNAVAILABLE. */
export function answerStarting(req: EdgeRequest, res: EdgeResponse, target: Target, why: string): void {
  const unready = problem("not_ready", `this node is starting: ${why}`, STARTING_RETRY_S);
  if (target.path === "/livez") answerWell(res);
  else if (target.path === "/readyz") tell(req, res, unready);
  else answerProblem(req, res, unready);
}

function tell(req: EdgeRequest, res: EdgeResponse, unready: Problem): void {
  const { headers, body } = documentOf(unready);
  endThenLinger(req, res, unready.status, headers, body);
}
