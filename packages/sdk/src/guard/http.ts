// A refusal as an answer of HTTP: a problem (RFC 9457) for programs, and the way to the queue for browsers.

import { type HeaderOf, one } from "./presented.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";

/** An answer of HTTP, for whatever writes it. */
export interface Answer {
  readonly status: number;
  /** By names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** 403, and not 401: a pass is no login, nothing that the client could add by itself would help (RFC 9110, 15.5.4), and
 * there is no scheme of `WWW-Authenticate` to name, which a 401 needs. */
const PROBLEMS: Readonly<Record<RefusalReason, readonly [number, string]>> = {
  pass_required: [403, "The service admits only who came through the line"],
  keys_unavailable: [503, "Passes cannot be checked at present"],
};

/** What whoever sent a request is told that is refused. A browser that asks for a page is sent to wait, by a GET, whatever it
 * sent; a program is told where. Nothing of it may be kept: with a pass, the same request has another answer. `header`: the
 * request's headers, by name. */
export function answerOf(refusal: Refusal, header: HeaderOf): Answer {
  const { reason, flaw, detail, queues, waitAt, retryAfter } = refusal;
  const always = { "cache-control": "no-store" };
  if (reason === "pass_required" && waitAt !== undefined && isNavigation(header))
    return { status: 303, headers: { ...always, location: waitAt }, body: "" };
  const [status, title] = PROBLEMS[reason];
  const document = {
    type: `urn:usher:problem:${reason}`,
    title,
    status,
    detail,
    ...(flaw !== undefined && { flaw }),
    queues,
    ...(waitAt !== undefined && { wait_at: waitAt }),
  };
  return {
    status,
    headers: {
      ...always,
      "content-type": "application/problem+json",
      ...(retryAfter !== undefined && { "retry-after": `${Math.ceil(retryAfter / 1000)}` }),
    },
    body: `${JSON.stringify(document)}\n`,
  };
}

/** Whether a browser asks for a page, to show it to somebody; told as the gateway tells it. Over plain http, none says so
 * by the first of the two headers. */
function isNavigation(header: HeaderOf): boolean {
  const mode = one(header("sec-fetch-mode"), ", ");
  if (mode !== "") return mode === "navigate";
  return /(?:^|,)\s*text\/html\s*(?:;|,|$)/i.test(one(header("accept"), ", "));
}
