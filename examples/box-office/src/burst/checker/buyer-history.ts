// One buyer's story, replayed: what it adds up to, and whether it can have happened.

import type {
  AnswerLine,
  BrokenLine,
  BuyersLine,
  EndLine,
  Outcome,
  OutcomeLine,
  ScheduledLine,
  SentLine,
  StartLine,
  TicketedLine,
} from "../../lines.ts";
import type { Findings, Rule } from "./findings.ts";

export type BuyerEvent = Exclude<BuyersLine, StartLine | EndLine>;

export interface BuyerHistory {
  readonly buyer: number;
  /** Its `Idempotency-Key`; empty where its beginning is missing. */
  readonly key: string;
  /** When it was to come; undefined where its beginning is missing. */
  readonly due_ms: number | undefined;
  /** Its purchase on its way: once, or again after broken connections. */
  readonly sent: readonly Sent[];
  /** What its answers add up to, whatever it says itself. */
  readonly outcome: Outcome;
  /** When that was so; undefined when lost. */
  readonly ended_ms: number | undefined;
  /** The answers that end the matter: one, or none. */
  readonly finals: readonly AnswerLine[];
  /** When it was first given a ticket; undefined without one. */
  readonly ticketed_ms: number | undefined;
  /** The gateway that took its request and gave it the ticket; undefined without one, and where it had asked before, in
   * vain: that may have been heard all the same, by another. */
  readonly taker: number | undefined;
  /** All that it was answered, and by which gateway. */
  readonly answers: readonly AnswerLine[];
  /** The numbers that it was told, each once: one, or none. */
  readonly numbers: readonly number[];
  /** Where and when its connections broke. */
  readonly broken: readonly BrokenLine[];
}

/** One sending, and the gateway that it went to. */
export type Sent = Pick<SentLine, "at_ms" | "gateway">;

export function readBuyer(buyer: number, events: readonly BuyerEvent[], findings: Findings): BuyerHistory {
  new Replay(buyer, findings).run(events);
  const scheduled = events.find((event): event is ScheduledLine => event.kind === "scheduled");
  const answers = events.filter((event): event is AnswerLine => event.kind === "answer");
  const tickets = events.filter((event): event is TicketedLine => event.kind === "ticketed");
  const broken = events.filter((event): event is BrokenLine => event.kind === "broken");
  const sent = events.filter((event): event is SentLine => event.kind === "sent" && event.to === "purchase");
  const said = events.find((event): event is OutcomeLine => event.kind === "outcome");
  const outcome = conclude(answers.at(-1), broken.at(-1), said);
  if (said === undefined) findings.add("buyers", "missing", `buyer ${buyer} has no outcome`);
  else if (said.outcome !== outcome) {
    findings.add("buyers", "impossible", `buyer ${buyer} says ${said.outcome}; its answers say ${outcome}`);
  }
  return {
    buyer,
    key: scheduled?.key ?? "",
    due_ms: scheduled?.due_ms,
    sent,
    outcome,
    ended_ms: outcome === "lost" ? undefined : (said ?? answers.at(-1) ?? broken.at(-1))?.at_ms,
    finals: answers.filter((answer) => isFinal(answer)),
    ticketed_ms: tickets[0]?.at_ms,
    taker: takerOf(tickets[0], answers),
    answers,
    numbers: [...new Set(answers.flatMap(({ ticket }) => ticket ?? []))],
    broken,
  };
}

function takerOf(ticket: TicketedLine | undefined, answers: readonly AnswerLine[]): number | undefined {
  if (ticket?.request !== 1) return undefined;
  return answers.find(({ request }) => request === 1)?.gateway;
}

/** The service's own word, good or bad, which ends the matter: not a place in the line, not Usher's. */
export function isServiceAnswer(answer: AnswerLine): boolean {
  const { to, problem } = answer;
  return to !== "ticket" && problem === null && !isRedirect(answer) && !isTicket(answer);
}

function isTicket({ to, status, ticket }: AnswerLine): boolean {
  return to === "purchase" && status === 202 && ticket !== null;
}

function isRedirect(event: BuyerEvent | undefined): boolean {
  return event?.kind === "answer" && event.status === 303;
}

function isAnswered(answer: AnswerLine): boolean {
  const { status } = answer;
  return isServiceAnswer(answer) && ((status >= 200 && status < 300) || status === 409);
}

function isUnknown({ status, problem }: AnswerLine): boolean {
  return status === 504 && problem !== null;
}

function isFinal(answer: AnswerLine): boolean {
  return isServiceAnswer(answer) || isUnknown(answer);
}

/** What the last that was heard adds up to. Only for *failed* is the buyer's own word needed, too: whether it stopped
 * there or meant to go on cannot be told from an answer. */
function conclude(
  answer: AnswerLine | undefined,
  broken: BrokenLine | undefined,
  said: OutcomeLine | undefined,
): Outcome {
  const gaveUp = said?.outcome === "failed";
  if (broken !== undefined && broken.request > (answer?.request ?? 0)) {
    return gaveUp && broken.to === "purchase" ? "failed" : "lost";
  }
  if (answer === undefined) return "lost";
  if (isAnswered(answer)) return "answered";
  if (isUnknown(answer)) return "unknown";
  return gaveUp && answer.status >= 400 ? "failed" : "lost";
}

/** Replays a story. A buyer is scheduled first; has one request open at a time, numbered without gaps; each is sent at
 * most once, and ends once; it tells its outcome last. */
class Replay {
  readonly #buyer: number;
  readonly #findings: Findings;
  #request = 0;
  #open: SentLine | undefined;
  #before: BuyerEvent | undefined;

  constructor(buyer: number, findings: Findings) {
    this.#buyer = buyer;
    this.#findings = findings;
  }

  run(events: readonly BuyerEvent[]): void {
    for (const event of events) {
      this.#check(event);
      this.#before = event;
    }
    if (this.#open !== undefined) this.#add("missing", `request ${this.#open.request} has no end`);
  }

  #check(event: BuyerEvent): void {
    if (this.#before === undefined && event.kind !== "scheduled") this.#add("missing", "nobody scheduled it");
    if (this.#before?.kind === "outcome") this.#add("impossible", `${event.kind} follows its outcome`);
    this.#checkTicket(event);
    if (event.kind === "scheduled") {
      if (this.#before !== undefined) this.#add("repeated", "it is scheduled twice");
    } else if (event.kind === "sent") {
      this.#begin(event.request);
      this.#open = event;
    } else if (event.kind === "answer") {
      this.#end(event);
    } else if (event.kind === "broken") {
      if (this.#open === undefined) this.#begin(event.request);
      else this.#end(event);
    } else if (event.kind === "outcome") {
      this.#checkOutcome(event);
    } else if (event.request !== this.#request || this.#open !== undefined) {
      this.#add("impossible", `${event.kind} speaks of request ${event.request}, out of turn`);
    } else if (event.kind === "retry" && this.#before?.kind === "retry") {
      this.#add("repeated", `it tries again twice after request ${event.request}`);
    }
  }

  #begin(request: number): void {
    if (this.#open !== undefined) this.#add("missing", `request ${this.#open.request} has no end`);
    if (request <= this.#request) this.#add("repeated", `request ${request} is there again`);
    if (request > this.#request + 1) this.#add("missing", `request ${this.#request + 1} is not there`);
    if (request > 1 && this.#before?.kind !== "retry" && !isRedirect(this.#before)) {
      this.#add("missing", `nothing says why request ${request} was made`);
    }
    this.#request = request;
  }

  #end({ kind, request, to, gateway }: AnswerLine | BrokenLine): void {
    const open = this.#open;
    if (open === undefined && request <= this.#request) {
      this.#add("repeated", `request ${request} ends twice`);
    } else if (open?.request !== request || open.to !== to || open.gateway !== gateway) {
      this.#add("missing", `request ${request} (${kind}) was not sent`);
      this.#request = Math.max(this.#request, request);
    }
    this.#open = undefined;
  }

  /** A 202 gives a ticket, with the number that the ticket has; nothing else does. */
  #checkTicket(event: BuyerEvent): void {
    const given = this.#before?.kind === "answer" && isTicket(this.#before) ? this.#before.ticket : null;
    const taken = event.kind === "ticketed" ? event.number : null;
    if (given === taken) return;
    if (taken === null) this.#add("missing", `it was given ticket ${given}, and does not say so`);
    else this.#add("impossible", `it says ticket ${taken}, and was given ${given ?? "none"}`);
  }

  #checkOutcome({ outcome, status, purchase }: OutcomeLine): void {
    const last = this.#before;
    if (this.#open !== undefined) this.#add("missing", `request ${this.#open.request} has no end`);
    this.#open = undefined;
    if (last?.kind !== "answer" || outcome === "lost") return;
    if (last.status !== status || (outcome === "answered" && last.purchase !== purchase)) {
      this.#add("impossible", `its outcome (${status}, ${purchase}) is not its last answer`);
    }
  }

  #add(rule: Rule, message: string): void {
    this.#findings.add("buyers", rule, `buyer ${this.#buyer}: ${message}`);
  }
}
