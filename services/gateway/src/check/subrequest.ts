// `GET /_usher/check`: a proxy asks, with the headers of its client's request, whether that may go through.
//
//   403                whoever asks is no proxy (asker.ts)
//   200                it may; `Usher-Pass` and `Usher-Ticket` are for the service, `Set-Cookie` for the client
//   429, 503, 404 …    it may not; the answer is for the client: a problem, or the waiting page
//
// nginx's `auth_request` knows no other refusals than 401 and 403, drops their answer, and joins cookies: for it there
// are `?deny=401`, each cookie in a header of its own, and `/_usher/wait`, which answers in place of the service. Traefik
// hands the answer on as it is.
//
// Neither path is for clients. Proxies keep them away by the path, too, so both are answered letter for letter, and in no
// other spelling.

import { readCookie } from "../listener/cookies.ts";
import type { EdgeRequest, EdgeResponse, Lines } from "../listener/exchange.ts";
import { answerProblem, type Problem, problem } from "../listener/problem.ts";
import type { Target } from "../listener/target.ts";
import { send } from "../waiting/pass/answer.ts";
import { type Asking, askingOf } from "../waiting/pass/asking.ts";
import type { Verdict } from "../waiting/pass/queue.ts";
import { visitorCookie } from "../waiting/pass/visitor.ts";
import { checkAsker } from "./asker.ts";
import { answerTo, type Check, denial, type Inquiry, passLines } from "./check.ts";

export const CHECK_PATH = "/_usher/check";
export const WAIT_PATH = "/_usher/wait";

/** Whether a target is this path, as it came: another spelling would get by a proxy's rule that keeps clients away. */
export function isExactly({ raw }: Target, path: string): boolean {
  return raw === path || raw.startsWith(`${path}?`);
}

/** Where proxies say which request they ask about: nginx by its users' habit, Traefik and Caddy by themselves. */
const URI_HEADERS = ["x-original-uri", "x-forwarded-uri"] as const;
const METHOD_HEADERS = ["x-original-method", "x-forwarded-method"] as const;

/** Statuses that a proxy may ask to be refused with. */
const DENIALS = new Map([
  ["401", 401],
  ["403", 403],
]);

type Where = Parameters<typeof denial>[0];

/** Whether a request may go through: asked by a proxy, which then passes it on itself. */
export async function answerCheck(
  check: Check,
  where: Where,
  req: EdgeRequest,
  res: EdgeResponse,
  target: Target,
): Promise<void> {
  const inquiry = checkAsker(req) ?? inquiryOf(req, target);
  if ("reason" in inquiry) return answerProblem(req, res, inquiry);
  const checked = await check.decide(inquiry);
  const denied = denial(where, inquiry, checked);
  const { verdict } = checked;
  const deny = new URLSearchParams(target.query).get("deny");
  const singles = deny === null ? [] : singleCookies(inquiry.asking, verdict);
  if (denied === undefined) {
    const lines = ["content-length", "0", "cache-control", "no-store", ...passLines(verdict)];
    send(req, res, { status: 200, lines: [...lines, ...cookieLines(verdict), ...singles], body: NOTHING });
    return;
  }
  const status = DENIALS.get(deny ?? "") ?? denied.status;
  send(req, res, { ...denied, status, lines: [...withoutRelative(denied.lines), ...singles] });
}

/** What the client of a refused request is told, in the service's place. Whose turn has come meanwhile is sent back to
 * where it wanted to go. */
export async function answerWait(
  check: Check,
  where: Where,
  req: EdgeRequest,
  res: EdgeResponse,
  target: Target,
): Promise<void> {
  const inquiry = checkAsker(req) ?? inquiryOf(req, target);
  if ("reason" in inquiry) return answerProblem(req, res, inquiry);
  const checked = await check.decide(inquiry);
  const told = answerTo(where, inquiry, checked);
  if (told !== undefined) return send(req, res, told);
  // 307: a form that was sent is sent again.
  const lines = ["location", inquiry.uri, "content-length", "0", "cache-control", "no-store"];
  send(req, res, { status: 307, lines: [...lines, ...cookieLines(checked.verdict)], body: NOTHING });
}

const NOTHING_ASKED = problem(
  "request_malformed",
  "say which request is meant: its target in X-Original-URI or X-Forwarded-Uri, or at least ?queue=…",
);

const NO_METHOD = problem(
  "request_malformed",
  "say the request's method in X-Original-Method or X-Forwarded-Method, since routes go by it; or name the queue (?queue=…)",
);

const TWO_ASKED = problem(
  "request_malformed",
  "X-Original-URI and X-Forwarded-Uri, or the methods beside them, tell of different requests: have the proxy take away those that it does not set itself",
);

const NOTHING = Buffer.alloc(0);

/** Or a problem, where nothing says what is asked, or two things are: a proxy sets one pair of headers, hands on the
 * other as its client sent it, and must not be answered about a request that its client thought of. */
function inquiryOf(req: EdgeRequest, { query }: Target): Inquiry | Problem {
  const named = new URLSearchParams(query).get("queue") ?? undefined;
  const [uri = named === undefined ? undefined : "/", ...otherUris] = valuesOf(req, URI_HEADERS);
  const [method = named === undefined ? undefined : (req.method ?? "GET"), ...otherMethods] = valuesOf(
    req,
    METHOD_HEADERS,
  );
  if (otherUris.length + otherMethods.length > 0) return TWO_ASKED;
  if (uri === undefined) return NOTHING_ASKED;
  if (method === undefined) return NO_METHOD;
  return { asking: { ...askingOf(req), method }, uri, lines: req.rawHeaders, queue: named };
}

/** What these headers say, each thing once. */
function valuesOf({ headers }: EdgeRequest, names: readonly string[]): string[] {
  const said = names.map((name) => headers[name]).filter((value) => typeof value === "string");
  return [...new Set(said)];
}

/** Without a `Location` that is a path: Traefik makes it whole with the address under which it asks, which clients neither
 * reach nor are to know. The document has it all the same. */
function withoutRelative(lines: Lines): string[] {
  const at = lines.indexOf("location");
  return lines[at + 1]?.startsWith("/") ? lines.toSpliced(at, 2) : [...lines];
}

function cookieLines(verdict: Verdict): string[] {
  const cookies = "setCookies" in verdict ? verdict.setCookies : [];
  return cookies.flatMap((line) => ["set-cookie", line]);
}

/** For proxies that can hand on one line alone, `Usher-Set-Visitor` and `Usher-Set-Pass`: one `Set-Cookie` line each.
 * `Usher-Visitor`: the visitor's cookie as the client would send it, so that the proxy's next question is the same
 * visitor's. A cookie that the client has is not told again: scripts can read these headers. */
function singleCookies({ headers, secure }: Asking, verdict: Verdict): string[] {
  if (!("setCookies" in verdict)) return [];
  const visitor = visitorCookie(secure);
  const brought = readCookie(headers.cookie, visitor);
  return verdict.setCookies.flatMap((line) => {
    const [pair = ""] = line.split(";", 1);
    if (!pair.startsWith(`${visitor}=`)) return ["usher-set-pass", line];
    return pair === `${visitor}=${brought}` ? [] : ["usher-set-visitor", line, "usher-visitor", pair];
  });
}
