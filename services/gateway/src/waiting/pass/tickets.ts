// A ticket of a pass queue as a resource: its Status for programs, its page for people, what the page asks for while it
// is open, and leaving, by a form as well. The token in the address is all that it takes, and no cookie helps: so nobody
// can be made to leave by another site that does not know it.

import type { Place, Replica } from "@usher/replica";
import type { EdgeRequest, EdgeResponse } from "../../listener/exchange.ts";
import { respond } from "../../listener/respond.ts";
import type { Target } from "../../listener/target.ts";
import { ticketLocation } from "../answer.ts";
import { answerPage } from "./answer.ts";
import { askingOf, isNavigation } from "./asking.ts";
import { ticketPage } from "./page/page.ts";
import { type View, viewOf } from "./page/view.ts";
import { type Language, languageOf, WORDS } from "./page/words.ts";

/** The longest path that a page leads on to. */
const PATH_LENGTH_MAX = 2_048;

/** Whether a page is asked for. */
export function wantsPage(req: EdgeRequest): boolean {
  return isNavigation(askingOf(req));
}

/** In which language the page that is open asks; absent where it is not the page that asks. */
export function viewLanguage({ query }: Target): Language | undefined {
  const language = new URLSearchParams(query).get("page");
  return language === "en" || language === "ko" ? language : undefined;
}

export function viewIn(replica: Replica, place: Place, language: Language): View {
  return viewOf(replica, place, WORDS[language], language);
}

/** Answers the page that is open. */
export function answerView(replica: Replica, res: EdgeResponse, place: Place, language: Language): void {
  const body = Buffer.from(JSON.stringify(viewIn(replica, place, language)));
  const headers = {
    "content-type": "application/json",
    "content-length": `${body.length}`,
    "cache-control": "no-store",
  };
  respond(res, 200, Object.entries(headers), body);
}

/** Answers a person who looks at the ticket, or has left the line. */
export function answerTicketPage(
  replica: Replica,
  req: EdgeRequest,
  res: EdgeResponse,
  { token, place, target }: { readonly token: string; readonly place: Place; readonly target: Target },
): void {
  const to = localPath(new URLSearchParams(target.query).get("to"));
  const page = ticketPage(replica, place, {
    language: languageOf(askingOf(req).headers["accept-language"]),
    ticket: ticketLocation(token),
    next: to === undefined ? "stay" : { path: to },
    origin: to ?? "/",
  });
  answerPage(req, res, 200, page);
}

/** A path of this site; absent for whatever could lead elsewhere. */
function localPath(path: string | null): string | undefined {
  if (path === null || path.length > PATH_LENGTH_MAX) return undefined;
  return /^\/(?![/\\])[!-[\]-~]*$/.test(path) ? path : undefined;
}
