// A request for a `pass` queue. Here the person waits, and not the request: whoever holds a pass is let through, and
// whoever does not is given a place in the line, and told of it. The decision is apart from the answer, since a proxy
// that does the forwarding itself asks for the decision alone.
//
//   asking.ts    the facts that decide            answer.ts    what those are told who wait, or are refused
//   visitor.ts   who asks                         tickets.ts   the ticket as a resource, for programs and people
//   holder.ts    whose pass it is                 page/        the waiting page
//   sessions.ts  more time for who is there       uses.ts       what lives on a pass, and ends with its ticket

import {
  type Access,
  type Caller,
  type IssuedPlace,
  type Place,
  type Replica,
  traceContext,
} from "@usher/replica";
import type { Pair } from "../../forward/headers.ts";
import { hasOwn, ownCookie, readCookie, setCookie } from "../../listener/cookies.ts";
import { isPreflight } from "../../listener/cors.ts";
import type { EdgeRequest, EdgeResponse } from "../../listener/exchange.ts";
import type { Problem } from "../../listener/problem.ts";
import type { Target } from "../../listener/target.ts";
import { observeDecision } from "../../observe/decision.ts";
import { observeHolder } from "../../observe/ticket.ts";
import type { Route } from "../../route.ts";
import type { PassOn } from "../defer.ts";
import { credentialsOf } from "../identity.ts";
import { waitTooLong } from "../long-wait.ts";
import { FOREIGN_CANNOT_WAIT, PREFLIGHT_CANNOT_WAIT, problemOf } from "../problems.ts";
import { answerRefusal, answerWaiting } from "./answer.ts";
import { type Asking, askingOf, isForeign, isNavigation, isReadable } from "./asking.ts";
import { heldBy } from "./holder.ts";
import { passLeft_ms, revived, used } from "./sessions.ts";
import { Uses } from "./uses.ts";
import { type Visitor, visitorCookie, visitorOf } from "./visitor.ts";

/** How long a visitor's cookie is kept at least, in seconds; a day. Where people may wait longer than that, as long. */
const VISITOR_S = 24 * 60 * 60;

/** What becomes of a request. `setCookies`: `Set-Cookie` lines that belong on its answer, whoever gives it.
 * - `admitted`: it goes on to the service, with the pass.
 * - `open`: the queue's mode lets everybody through; it goes on without a pass.
 * - `waits`: its sender has a place in the line, to which the token is the key.
 * - `refused`: nothing has happened. */
export type Verdict =
  | {
      readonly kind: "admitted";
      readonly place: Place;
      readonly pass: string;
      /** Whether it is another than its sender has brought. */
      readonly isNewPass: boolean;
      readonly setCookies: readonly string[];
    }
  | { readonly kind: "open" }
  | {
      readonly kind: "waits";
      readonly place: Place;
      readonly token: string;
      readonly setCookies: readonly string[];
    }
  | { readonly kind: "refused"; readonly problem: Problem };

export interface PassOptions {
  readonly replica: Replica;
  readonly access: Access;
  /** The queue's name. */
  readonly queue: string;
  readonly passOn: PassOn;
  /** The origin under which clients reach the gateway; absent: whatever each of them uses. */
  readonly public_url: string | undefined;
  /** Whose pages may read answers. */
  readonly allowed_origins: readonly string[];
}

export class PassQueue {
  readonly #options: PassOptions;
  readonly #uses: Uses;

  constructor(options: PassOptions) {
    this.#options = options;
    this.#uses = new Uses(options.replica, options.queue);
  }

  async handle(req: EdgeRequest, res: EdgeResponse, target: Target, route: Route): Promise<void> {
    const asking = askingOf(req);
    const verdict = await this.decide(asking, route);
    switch (verdict.kind) {
      case "admitted": {
        const { place, pass } = verdict;
        const headers: Pair[] = [
          ["Usher-Pass", pass],
          ["Usher-Ticket", `${place.view.number}`],
        ];
        const use = this.#uses.begin(place);
        try {
          return await this.#options.passOn(req, res, route, {
            headers,
            answerHeaders: answerLines(verdict, asking),
            onAnswer: (breakOff) => use.answering(breakOff),
          });
        } finally {
          use.over();
        }
      }
      case "open":
        return this.#options.passOn(req, res, route);
      case "waits":
        answerWaiting(this.#options, req, res, { ...verdict, asking, target });
        return;
      case "refused":
        answerRefusal(req, res, { problem: verdict.problem, asking });
    }
  }

  /** Whether a request may go on to the service. Takes a place in the line for who has none yet, unless the wait would be
   * longer than the route allows. Rejects with faults of Usher's own alone. */
  async decide(asking: Asking, route: Pick<Route, "max_wait_ms"> = {}): Promise<Verdict> {
    const verdict = this.#withNotice(await this.#decide(asking, route));
    observeDecision(this.#options.queue, () => decisionOf(verdict));
    if ("place" in verdict) observeHolder(verdict.place);
    return verdict;
  }

  async #decide(asking: Asking, route: Pick<Route, "max_wait_ms">): Promise<Verdict> {
    try {
      return (await this.#byPass(asking)) ?? (await this.#byVisitor(asking, route));
    } catch (error) {
      const refused = problemOf(error);
      if (refused === undefined) throw error;
      return { kind: "refused", problem: refused };
    }
  }

  /** Who gets no place hears what the operators have to say to those who have one. */
  #withNotice(verdict: Verdict): Verdict {
    if (verdict.kind !== "refused" || verdict.problem.status !== 503) return verdict;
    const { replica, queue } = this.#options;
    const notice = replica.fold.queue(queue)?.settings.notice ?? "";
    if (notice === "") return verdict;
    const members = { ...verdict.problem.members, notice };
    return { ...verdict, problem: { ...verdict.problem, members } };
  }

  /** Undefined where no pass came that counts. A header is what a program says on purpose, so it goes before a cookie;
   * but a wrong one is as good as none. */
  async #byPass(asking: Asking): Promise<Verdict | undefined> {
    const { headers, secure } = asking;
    for (const pass of [headers["usher-pass"], readCookie(headers.cookie, this.#passCookie(secure))]) {
      if (pass === undefined) continue;
      const place = await heldBy(this.#options.replica, this.#options.queue, pass);
      if (place !== undefined) return this.#admit(place, asking, { presented: pass });
    }
    return undefined;
  }

  async #byVisitor(asking: Asking, route: Pick<Route, "max_wait_ms">): Promise<Verdict> {
    const { replica, access, queue: name } = this.#options;
    const caller = access.caller(credentialsOf(asking.headers));
    const visitor = visitorOf(asking, caller);
    if ("reason" in visitor) return { kind: "refused", problem: visitor };
    const known = replica.desk.findVisitor({ queue: name, visitor: visitor.secret });
    if (known === undefined) {
      if (replica.desk.queue(name).settings.mode === "open") return { kind: "open" };
      if (isPreflight(asking)) return { kind: "refused", problem: PREFLIGHT_CANNOT_WAIT };
      if (visitor.isNew === true && this.#isLost(asking))
        return { kind: "refused", problem: FOREIGN_CANNOT_WAIT };
      const tooLong = waitTooLong(replica.desk, name, route);
      if (tooLong !== undefined) return { kind: "refused", problem: tooLong };
    }
    const issued = known ?? (await this.#issue(asking, caller, visitor));
    if (issued.view.state === "admitted") {
      const place = await revived(replica, issued);
      // Ended a moment ago: it holds no place any more, and its holder is as good as new.
      if (place === undefined) return this.#byVisitor(asking, route);
      return this.#admit(place, asking, { visitor });
    }
    return {
      kind: "waits",
      place: issued,
      token: issued.token,
      setCookies: this.#visitorCookies(visitor, asking),
    };
  }

  /** Whether nobody new who asks so could be told anything to come back with: no cookie is set, and no script may read the
   * answer. Each would take a place, and each picture in a page a place of its own. */
  #isLost(asking: Asking): boolean {
    return isForeign(asking) && !isReadable(asking, this.#options.allowed_origins);
  }

  #issue({ headers }: Asking, caller: Caller, visitor: Visitor): Promise<IssuedPlace> {
    const trace = traceContext((name) => headers[name as "traceparent"]);
    const { replica, queue } = this.#options;
    return replica.desk.issue({ queue, caller, visitor: visitor.secret, trace });
  }

  #admit(
    place: Place,
    asking: Asking,
    known: { readonly presented: string } | { readonly visitor: Visitor },
  ): Verdict {
    const { replica } = this.#options;
    used(replica, place);
    const pass = replica.passes.mint(place);
    if (pass === undefined) throw new Error(`ticket ${place.view.number} is admitted, and has no pass`);
    const visitor = "visitor" in known ? this.#visitorCookies(known.visitor, asking) : [];
    // One that was presented and is older is good until its own end; the session may have been extended since.
    const isNewPass = !("presented" in known) || known.presented !== pass;
    const isTold = isNewPass && !isForeign(asking);
    const setCookies = isTold ? [...visitor, this.#setPass(pass, place, asking)] : [];
    return { kind: "admitted", place, pass, isNewPass, setCookies };
  }

  #setPass(pass: string, place: Place, { secure }: Asking): string {
    const left_s = Math.ceil(passLeft_ms(this.#options.replica, place) / 1000);
    return setCookie(this.#passCookie(secure), pass, { secure, maxAge_s: Math.max(1, left_s) });
  }

  /** Told again with every answer, so that it outlasts any wait. */
  #visitorCookies({ cookie }: Visitor, asking: Asking): string[] {
    if (cookie === undefined || isForeign(asking)) return [];
    const { secure } = asking;
    const { max_wait_ms, session_ms } = this.#options.replica.desk.queue(this.#options.queue).settings;
    const maxAge_s = Math.max(VISITOR_S, Math.ceil((max_wait_ms + session_ms) / 1000));
    return [setCookie(visitorCookie(secure), cookie, { secure, maxAge_s })];
  }

  #passCookie(secure: boolean): string {
    return ownCookie(`pass-${this.#options.queue}`, secure);
  }
}

/** In the words of metrics and traces. */
function decisionOf(verdict: Verdict): { action: "pass" | "ticket" | "refuse"; reason: string } {
  switch (verdict.kind) {
    case "admitted":
      return { action: "pass", reason: "admitted" };
    case "open":
      return { action: "pass", reason: "open" };
    case "waits":
      return { action: "ticket", reason: "not_admitted" };
    case "refused":
      return { action: "refuse", reason: verdict.problem.reason };
  }
}

/** What an answer of the service's is to tell of the pass: by cookies, which no cache in between may keep, and to a
 * program that came without any in words that it can read, as to a script of another site's, if that may read at all. A
 * script in somebody's page, who has cookies, is not told. */
function answerLines(
  { pass, isNewPass, setCookies }: Verdict & { kind: "admitted" },
  asking: Asking,
): Pair[] {
  if (!isNewPass) return [];
  const lines = setCookies.map((line): Pair => ["Set-Cookie", line]);
  if (!isNavigation(asking) && !hasOwn(asking.headers.cookie)) lines.push(["Usher-Pass", pass]);
  return [...lines, ["Cache-Control", "private"], ["Vary", "Cookie"]];
}
