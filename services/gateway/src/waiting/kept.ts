// `GET /_usher/requests`: whoever has lost the answer to a request asks whether it is kept, and where. To send it again
// could be to have it carried out twice, where it went straight through; a question is passed on to no service, also by
// whatever else than Usher may answer under the address.
//
//   Usher-Request: POST /orders?seat=1 9f86d0…   the request: its method, its target, and its body's SHA-256, in hex
//   Idempotency-Key, and the credentials          as the request had them
//
//   202        as the request itself would be answered if it were sent again: `Location` is its ticket's address
//   404        no ticket has the key: it never arrived, or it was passed on
//   422        another request has it
//   503        this node cannot know; ask again
//
// Who knows all of it is told the ticket; that is as much as it takes to be told by sending the request again.

import { createHash } from "node:crypto";
import type { StoredRequest } from "@usher/protocol/payload";
import type { Access, IssuedPlace, Replica } from "@usher/replica";
import type { Requests } from "../dispatch/requests.ts";
import { checkMethod } from "../listener/door.ts";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";
import { answerProblem, type Problem, problem } from "../listener/problem.ts";
import { readTarget, type Target } from "../listener/target.ts";
import type { Routes } from "../route.ts";
import { answerStatus, PREFIX, tellKey, ticketLocation } from "./answer.ts";
import { identityOf, onlyOf } from "./identity.ts";
import { problemOf } from "./problems.ts";

export const REQUESTS_PATH = `${PREFIX}requests`;

/** In which a client says which request it means. */
const HEADER = "usher-request";
const ASKED = /^(\S+) (\S+) ([0-9a-f]{64})$/;

/** After how many seconds to ask again where this node cannot know; 1. */
const RETRY_S = 1;

/** A request whose sender asks about it. */
interface Asked {
  readonly method: string;
  readonly target: Target;
  /** Of its body: SHA-256, in hex. */
  readonly digest: string;
}

export interface KeptOptions {
  readonly replica: Replica;
  readonly access: Access;
  readonly routes: Routes;
  readonly requests: Requests;
  readonly public_url: string | undefined;
}

export async function answerKept(options: KeptOptions, req: EdgeRequest, res: EdgeResponse): Promise<void> {
  if (req.method !== "GET" && req.method !== "HEAD") {
    res.setHeader("allow", "GET, HEAD");
    answerProblem(req, res, problem("method_not_allowed", "this is asked with GET; nothing is sent here"));
    return;
  }
  try {
    const asked = askedIn(req);
    const found = "reason" in asked ? asked : await find(options, req, asked);
    if ("reason" in found) return answerProblem(req, res, found);
    const { replica, requests, public_url } = options;
    await tellKey(requests, res, found);
    answerStatus(replica, res, found, { status: 202, location: ticketLocation(found.token, public_url) });
  } catch (error) {
    const refused = problemOf(error);
    if (refused === undefined) throw error;
    answerProblem(req, res, refused);
  }
}

function askedIn({ headers }: EdgeRequest): Asked | Problem {
  const [, method = "", raw = "", digest] = ASKED.exec(onlyOf(headers[HEADER]) ?? "") ?? [];
  if (digest === undefined)
    return problem(
      "request_malformed",
      "say which request is meant: Usher-Request: METHOD /target sha-256-of-the-body-in-hex",
    );
  const target = checkMethod(method) ?? readTarget(raw);
  return "reason" in target ? target : { method, target, digest };
}

async function find(
  { replica, access, routes, requests }: KeptOptions,
  req: EdgeRequest,
  asked: Asked,
): Promise<IssuedPlace | Problem> {
  const { method, target } = asked;
  const route = routes.find({ method, path: target.path, lines: req.rawHeaders });
  const { caller, key } = identityOf(req, access);
  const queue = route?.queue === undefined ? undefined : replica.fold.queue(route.queue);
  // In a queue of people nothing is kept of requests.
  if (key === undefined || queue?.settings.kind !== "defer") return UNKNOWN;
  const found = replica.desk.find({ queue: queue.name, caller, key });
  if (found === undefined) return replica.ready ? UNKNOWN : UNREADY;
  // A backend's own ticket has no request.
  const stored = found.view.request && (await requests.read(found.view.origin));
  if (stored === undefined) return UNKNOWN;
  return isSame(stored, asked) ? found : REUSED;
}

function isSame({ method, target, body }: StoredRequest, asked: Asked): boolean {
  const digest = createHash("sha256").update(body).digest("hex");
  return method === asked.method && target === asked.target.raw && digest === asked.digest;
}

const UNKNOWN = problem(
  "key_unknown",
  "no ticket has this request's Idempotency-Key: it never arrived, or it was passed straight on to its service, and may have been carried out",
);

const UNREADY = problem(
  "not_ready",
  "this node is shutting down, or cannot follow the log: it does not know of the latest tickets",
  RETRY_S,
);

const REUSED = problem("key_reused", "the ticket that has the Idempotency-Key is another request's");
