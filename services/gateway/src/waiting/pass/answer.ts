// What is told to somebody who does not get through: a problem to a program, a page to a person.

import type { Place, Replica } from "@usher/replica";
import { refused } from "@usher/telemetry";
import type { EdgeRequest, EdgeResponse } from "../../listener/exchange.ts";
import { endThenLinger } from "../../listener/linger.ts";
import { type Problem, problem, render } from "../../listener/problem.ts";
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

/** An answer that is made, and not sent. */
export interface Answer {
  readonly status: number;
  /** Header lines, flat, `Content-Length` among them. */
  readonly lines: readonly string[];
  readonly body: Buffer;
}

/** What those are told who wait. */
export function renderWaiting(
  { replica, public_url }: { readonly replica: Replica; readonly public_url?: string | undefined },
  { asking, target, place, token, setCookies }: Waiting,
): Answer {
  const lines = [
    "usher-ticket",
    `${place.view.number}`,
    ...setCookies.flatMap((line) => ["set-cookie", line]),
  ];
  if (!isNavigation(asking)) {
    // In a header too, for an answer to HEAD has no document.
    const location = ticketLocation(token, public_url);
    return withLines(
      [...lines, "location", location],
      renderProblem(waitingProblem(replica, place, location)),
    );
  }
  const sending = isSending(asking);
  const page = ticketPage(replica, place, {
    language: languageOf(asking.headers["accept-language"]),
    ticket: ticketLocation(token),
    next: sending ? "back" : "reload",
    // What a form is sent to need not be there to be looked at.
    origin: sending ? "/" : target.raw,
  });
  // A page for a form that was sent is a refusal, lest anybody take it for the answer.
  return withLines(lines, renderPage(sending ? 429 : 202, page, retryAfter_s(replica, place)));
}

export function answerWaiting(
  where: Parameters<typeof renderWaiting>[0],
  req: EdgeRequest,
  res: EdgeResponse,
  waiting: Waiting,
): void {
  send(req, res, renderWaiting(where, waiting));
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

export function renderRefusal({
  problem,
  asking,
}: {
  readonly problem: Problem;
  readonly asking: Asking;
}): Answer {
  if (!isNavigation(asking)) return renderProblem(problem);
  // Counted here: what is no document of a problem does not come by where those are.
  refused(problem);
  const page = refusalPage(languageOf(asking.headers["accept-language"]), {
    why: refusalOf(problem),
    notice: `${problem.members?.notice ?? ""}`,
  });
  return renderPage(problem.status, page, problem.retry_after_s);
}

export function answerRefusal(
  req: EdgeRequest,
  res: EdgeResponse,
  refusal: Parameters<typeof renderRefusal>[0],
): void {
  send(req, res, renderRefusal(refusal));
}

function refusalOf({ reason, status }: Problem): Refusal {
  if (reason === "queue_closed") return "closed";
  if (reason === "queue_full") return "full";
  if (reason === "wait_too_long") return "long";
  if (reason === "must_wait") return "foreign";
  return status < 500 ? "malformed" : "unavailable";
}

export function answerPage(req: EdgeRequest, res: EdgeResponse, status: number, page: Page): void {
  send(req, res, renderPage(status, page));
}

export function send(req: EdgeRequest, res: EdgeResponse, { status, lines, body }: Answer): void {
  res.appendHeader("vary", VARY);
  endThenLinger(req, res, status, [...lines], body);
}

function renderPage(status: number, { headers, body }: Page, retry_s?: number): Answer {
  const lines = [...headers, ["content-length", `${body.length}`] as const];
  if (retry_s !== undefined) lines.push(["retry-after", `${retry_s}`]);
  return { status, lines: lines.flat(), body };
}

function renderProblem(problem: Problem): Answer {
  const { headers, body } = render(problem);
  return { status: problem.status, lines: headers, body };
}

function withLines(lines: readonly string[], answer: Answer): Answer {
  return { ...answer, lines: [...lines, ...answer.lines] };
}
