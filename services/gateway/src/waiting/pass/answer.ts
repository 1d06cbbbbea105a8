// What is told to somebody who does not get through: a problem to a program, a page to a person.

import type { Place, Replica } from "@usher/replica";
import type { EdgeRequest, EdgeResponse } from "../../listener/exchange.ts";
import { endThenLinger } from "../../listener/linger.ts";
import { answerProblem, type Problem, problem } from "../../listener/problem.ts";
import type { Target } from "../../listener/target.ts";
import { statusJson, ticketLocation } from "../answer.ts";
import { type Asking, isNavigation, isSending } from "./asking.ts";
import { type Page, refusalPage, ticketPage } from "./page/page.ts";
import { languageOf, type Refusal } from "./page/words.ts";

/** A request whose sender waits. */
export interface Waiting {
  readonly asking: Asking;
  readonly target: Target;
  readonly place: Place;
  readonly token: string;
  readonly setCookies: readonly string[];
}

/** What caches have to know of all answers here, which they must not keep anyway. */
const VARY = "Cookie, Accept, Accept-Language";

export function answerWaiting(
  { replica, public_url }: { readonly replica: Replica; readonly public_url: string | undefined },
  req: EdgeRequest,
  res: EdgeResponse,
  { asking, target, place, token, setCookies }: Waiting,
): void {
  res.setHeader("usher-ticket", `${place.view.number}`);
  if (setCookies.length > 0) res.setHeader("set-cookie", [...setCookies]);
  if (!isNavigation(asking)) {
    res.appendHeader("vary", VARY);
    answerProblem(req, res, waitingProblem(replica, place, ticketLocation(token, public_url)));
    return;
  }
  const sending = isSending(asking);
  const page = ticketPage(replica, place, {
    language: languageOf(asking.headers["accept-language"]),
    ticket: ticketLocation(token),
    next: sending ? "back" : "reload",
    // What a form is sent to need not be there to be looked at.
    origin: sending ? "/" : target.raw,
  });
  const retry_s = retryAfter_s(replica, place);
  // A page for a form that was sent is a refusal, lest anybody take it for the answer.
  answerPage(req, res, sending ? 429 : 202, page, retry_s);
}

/** 429, with all that the holder may know. */
function waitingProblem(replica: Replica, place: Place, ticket_url: string): Problem {
  const { number, position = 0 } = place.view;
  const detail = `it was not passed on: place ${position} in the line is kept under number ${number}; ask at ticket_url`;
  const members = { ...statusJson(replica, place), ticket_url };
  return { ...problem("must_wait", detail, retryAfter_s(replica, place)), members };
}

function retryAfter_s({ desk }: Replica, place: Place): number | undefined {
  const retry_ms = desk.retryAfter_ms(place);
  return retry_ms === undefined ? undefined : Math.ceil(retry_ms / 1000);
}

export function answerRefusal(
  req: EdgeRequest,
  res: EdgeResponse,
  { problem, asking }: { readonly problem: Problem; readonly asking: Asking },
): void {
  if (!isNavigation(asking)) {
    res.appendHeader("vary", VARY);
    answerProblem(req, res, problem);
    return;
  }
  const language = languageOf(asking.headers["accept-language"]);
  answerPage(req, res, problem.status, refusalPage(language, refusalOf(problem)), problem.retry_after_s);
}

function refusalOf({ reason, status }: Problem): Refusal {
  if (reason === "queue_closed") return "closed";
  if (reason === "queue_full") return "full";
  if (reason === "wait_too_long") return "long";
  return status < 500 ? "malformed" : "unavailable";
}

export function answerPage(
  req: EdgeRequest,
  res: EdgeResponse,
  status: number,
  { headers, body }: Page,
  retry_s?: number,
): void {
  res.appendHeader("vary", VARY);
  const lines = [...headers, ["content-length", `${body.length}`] as const];
  if (retry_s !== undefined) lines.push(["retry-after", `${retry_s}`]);
  endThenLinger(req, res, status, lines.flat(), body);
}
