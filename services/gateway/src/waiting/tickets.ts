// `/_usher/tickets/{token}`: a ticket as a resource. GET tells where it stands, once or as a stream, and leads to the
// answer; DELETE gives it up, and so does a form that is sent to `…/leave`. Always Usher that speaks here, but under
// `…/response`, which is the service's own answer.

import type { Place, Replica } from "@usher/replica";
import type { Requests } from "../dispatch/requests.ts";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";
import { answerProblem, problem } from "../listener/problem.ts";
import { respond } from "../listener/respond.ts";
import type { Target } from "../listener/target.ts";
import { observeHolder } from "../observe/ticket.ts";
import { answerEnd, answerStatus, endOf, PREFIX, statusJson, tellKey, ticketLocation } from "./answer.ts";
import { streamEvents, wantsEvents } from "./events.ts";
import { answerTicketPage, answerView, viewIn, viewLanguage, wantsPage } from "./pass/tickets.ts";
import { problemOf } from "./problems.ts";

/** Whatever stands in a token's place is taken for one, so that all that are none get one answer. */
const RESOURCE = new RegExp(`^${PREFIX}tickets/([^/]+)(?:/(response|leave))?$`);

/** What may be done with a ticket, and with what is below it. */
const METHODS = {
  ticket: ["GET", "HEAD", "DELETE"],
  response: ["GET", "HEAD"],
  leave: ["POST"],
} as const;

/** A ticket that somebody asks for, and what of it. */
interface Asked {
  readonly token: string;
  readonly place: Place;
  readonly part: keyof typeof METHODS;
  readonly target: Target;
}

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
    const [, token, part = "ticket"] = RESOURCE.exec(target.path) ?? [];
    if (token === undefined || !isPart(part)) {
      answerProblem(
        req,
        res,
        problem("not_found", "there is a ticket under tickets/{token}, and nothing else"),
      );
      return;
    }
    try {
      const place = await this.#replica.desk.held(token, asOf(req, target));
      await tellKey(this.#requests, res, place);
      await this.#answer(req, res, { token, place, part, target });
    } catch (error) {
      const refused = problemOf(error);
      if (refused === undefined) throw error;
      answerProblem(req, res, refused);
    }
  }

  async #answer(req: EdgeRequest, res: EdgeResponse, asked: Asked): Promise<void> {
    const { place, part } = asked;
    const methods: readonly string[] = METHODS[part];
    if (!methods.includes(req.method ?? "")) {
      res.setHeader("allow", methods.join(", "));
      const detail = "read it with GET, or give it up with DELETE, or by a POST to /leave";
      answerProblem(req, res, problem("method_not_allowed", detail));
    } else if (part === "leave" || req.method === "DELETE") {
      const left = { ...asked, place: await this.#replica.desk.leave(place) };
      if (isForPeople(left.place) && wantsPage(req)) answerTicketPage(this.#replica, req, res, left);
      else answerStatus(this.#replica, res, left.place, { status: 200 });
    } else if (part === "response") {
      await answerEnd(this.#requests, req, res, place);
    } else if (wantsEvents(req)) {
      await this.#stream(req, res, asked);
    } else {
      await this.#answerTicket(req, res, asked);
    }
  }

  async #answerTicket(req: EdgeRequest, res: EdgeResponse, asked: Asked): Promise<void> {
    const { token, place, target } = asked;
    const end = endOf(place);
    const language = isForPeople(place) ? viewLanguage(target) : undefined;
    if (language !== undefined) {
      answerView(this.#replica, res, place, language);
    } else if (isForPeople(place) && wantsPage(req)) {
      answerTicketPage(this.#replica, req, res, asked);
    } else if (end === undefined) {
      answerStatus(this.#replica, res, place, { status: 200 });
    } else if (end === "answered") {
      observeHolder(place);
      const location = `${ticketLocation(token, this.#public_url)}/response`;
      const headers = { location, "cache-control": "no-store", "content-length": "0" };
      respond(res, 303, Object.entries(headers), undefined);
    } else {
      await answerEnd(this.#requests, req, res, place);
    }
  }

  #stream(req: EdgeRequest, res: EdgeResponse, { place, target }: Asked): Promise<void> {
    const language = isForPeople(place) ? viewLanguage(target) : undefined;
    return streamEvents(this.#replica, req, res, place, (now) => {
      // When to ask again differs every time, and is for those who do.
      if (language !== undefined) {
        const view = viewIn(this.#replica, now, language);
        return { data: JSON.stringify(view), same: JSON.stringify({ ...view, retry_ms: undefined }) };
      }
      const status = statusJson(this.#replica, now);
      const same = JSON.stringify({ ...status, asOf: undefined, retryAfter: undefined });
      return { data: JSON.stringify(status), same };
    });
  }
}

function isPart(part: string): part is keyof typeof METHODS {
  return part in METHODS;
}

/** Whether it is a person that waits, and not a request. */
function isForPeople({ queue }: Place): boolean {
  return queue.settings.kind === "pass";
}

/** How far into the log the client has seen, if it says so: itself, or by the stream that broke off. */
function asOf(req: EdgeRequest, target: Target): number {
  const value = new URLSearchParams(target.query).get("as_of") ?? `${req.headers["last-event-id"] ?? ""}`;
  return /^\d{1,15}$/.test(value) ? Number(value) : 0;
}
