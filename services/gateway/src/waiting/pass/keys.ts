// `/_usher/jwks.json`: the public keys that passes are checked with (RFC 7517), for services that look for themselves.

import type { Replica } from "@usher/replica";
import type { EdgeRequest, EdgeResponse } from "../../listener/exchange.ts";
import { answerProblem, problem } from "../../listener/problem.ts";
import { respond } from "../../listener/respond.ts";
import { PREFIX } from "../answer.ts";

export const KEYS_PATH = `${PREFIX}jwks.json`;

/** How long anybody may keep them, in seconds; one minute: less than the two after which a new key comes into use, and
 * short enough for one that has leaked. */
const KEPT_S = 60;

export function answerKeys(replica: Replica, req: EdgeRequest, res: EdgeResponse): void {
  if (req.method !== "GET" && req.method !== "HEAD") {
    res.setHeader("allow", "GET, HEAD");
    answerProblem(req, res, problem("method_not_allowed", "the keys are there to be read"));
    return;
  }
  const body = Buffer.from(`${JSON.stringify(replica.passes.jwks())}\n`);
  const headers = {
    "content-type": "application/jwk-set+json",
    "content-length": `${body.length}`,
    "cache-control": `public, max-age=${KEPT_S}`,
  };
  respond(res, 200, Object.entries(headers), body);
}
