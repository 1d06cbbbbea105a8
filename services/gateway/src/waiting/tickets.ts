// `/_usher/tickets/{token}`: a ticket as a resource. GET tells where it stands and leads to the answer, DELETE gives
// it up. Always Usher that speaks here, but under `…/response`, which is the service's own answer.

import type { Place, Replica } from "@usher/replica";
import type { Requests } from "../dispatch/requests.ts";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";
import { answerProblem, problem } from "../listener/problem.ts";
import { respond } from "../listener/respond.ts";
import type { Target } from "../listener/target.ts";
import { answerEnd, answerStatus, endOf, PREFIX, ticketLocation } from "./answer.ts";
import { problemOf } from "./problems.ts";

/** Whatever stands in a token's place is taken for one, so that all that are none get one answer. */
const RESOURCE = new RegExp(`^${PREFIX}tickets/([^/]+)(/response)?$`);

export class TicketResource {
  readonly #replica: Replica;
  readonly #requests: Requests;
  readonly #public_url: string | undefined;

  constructor(replica: Replica, requests: Requests, public_url: string | undefined) {
    this.#public_url = public_url;
    this.#replica = replica;
    this.#requests = requests;
  }

  async handle(req: EdgeRequest, res: EdgeResponse, target: Target): Promise<void> {
    const [, token, response] = RESOURCE.exec(target.path) ?? [];
    if (token === undefined) {
      answerProblem(
        req,
        res,
        problem("not_found", "there is a ticket under tickets/{token}, and nothing else"),
      );
      return;
    }
    try {
      const place = await this.#replica.desk.held(token, asOf(target));
      await this.#answer(req, res, { token, place, response: response !== undefined });
    } catch (error) {
      const refused = problemOf(error);
      if (refused === undefined) throw error;
      answerProblem(req, res, refused);
    }
  }

  async #answer(
    req: EdgeRequest,
    res: EdgeResponse,
    { token, place, response }: { token: string; place: Place; response: boolean },
  ): Promise<void> {
    const reads = req.method === "GET" || req.method === "HEAD";
    if (!reads && (response || req.method !== "DELETE")) {
      res.setHeader("allow", response ? "GET, HEAD" : "GET, HEAD, DELETE");
      answerProblem(req, res, problem("method_not_allowed", "read it with GET, or give it up with DELETE"));
    } else if (req.method === "DELETE") {
      answerStatus(this.#replica, res, await this.#replica.desk.leave(place), { status: 200 });
    } else if (response) {
      await answerEnd(this.#requests, req, res, place);
    } else {
      await this.#answerTicket(req, res, token, place);
    }
  }

  async #answerTicket(req: EdgeRequest, res: EdgeResponse, token: string, place: Place): Promise<void> {
    const end = endOf(place);
    if (end === undefined) {
      answerStatus(this.#replica, res, place, { status: 200 });
    } else if (end === "answered") {
      const location = `${ticketLocation(token, this.#public_url)}/response`;
      const headers = { location, "cache-control": "no-store", "content-length": "0" };
      respond(res, 303, Object.entries(headers), undefined);
    } else {
      await answerEnd(this.#requests, req, res, place);
    }
  }
}

/** How far into the log the client has seen, if it says so. */
function asOf(target: Target): number {
  const value = new URLSearchParams(target.query).get("as_of") ?? "";
  return /^\d{1,15}$/.test(value) ? Number(value) : 0;
}
