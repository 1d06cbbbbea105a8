// What an answer means to a buyer: the client's side of Usher's HTTP protocol, as a pure function.

import type { Outcome, Purpose } from "../lines.ts";
import { retryAfter_ms } from "./waiting.ts";
import type { WireAnswer } from "./wire.ts";

/** How long to wait where an answer says "later" and not when, in milliseconds; 1,000. */
const LATER_MS = 1_000;

/**
 * - `final`: the matter is over.
 * - `ticket`: the buyer has a ticket; ask at `location` after `after_ms`.
 * - `wait`: not yet; ask the same again.
 * - `follow`: the answer is elsewhere.
 * - `later`: refused for now, and said until when.
 * - `unclear`: no word on the matter (an error of something on the way); ask again with backoff.
 */
export type Meaning =
  | { readonly kind: "final"; readonly outcome: Exclude<Outcome, "lost"> }
  | { readonly kind: "ticket"; readonly location: string; readonly after_ms: number }
  | { readonly kind: "wait"; readonly after_ms: number }
  | { readonly kind: "follow"; readonly location: string }
  | { readonly kind: "later"; readonly after_ms: number }
  | { readonly kind: "unclear" };

const answered = { kind: "final", outcome: "answered" } as const;
const failed = { kind: "final", outcome: "failed" } as const;
const unknown = { kind: "final", outcome: "unknown" } as const;
const unclear = { kind: "unclear" } as const;

export function read(to: Purpose, answer: WireAnswer, problem: string | null, now_ms: number): Meaning {
  const { status } = answer;
  const location = answer.headers.location;
  const after_ms = retryAfter_ms(answer.headers["retry-after"], now_ms);
  if (status === 303 && typeof location === "string") return { kind: "follow", location };
  if (to === "ticket") return readTicket(status, problem, after_ms);
  if (to === "purchase" && status === 202 && typeof location === "string") {
    return { kind: "ticket", location, after_ms: after_ms ?? LATER_MS };
  }
  if (problem === null) return (status >= 200 && status < 300) || status === 409 ? answered : failed;
  // The answer was asked for too early; whoever redirected there said that it is ready.
  if (to === "response" && status === 409) return unclear;
  if (status === 504) return unknown;
  if ((status === 429 || status === 503) && after_ms !== undefined) return { kind: "later", after_ms };
  return failed;
}

/** At a ticket's address Usher alone speaks. */
function readTicket(status: number, problem: string | null, after_ms: number | undefined): Meaning {
  if (status === 200) return { kind: "wait", after_ms: after_ms ?? LATER_MS };
  if (status === 429 || status === 503) return { kind: "later", after_ms: after_ms ?? LATER_MS };
  if (status === 504) return problem === null ? unclear : unknown;
  if (status === 502) return problem === null ? unclear : failed;
  return status >= 400 && status < 500 ? failed : unclear;
}

/** What a body tells beyond its status. */
export interface Told {
  /** The `type` of a problem of Usher's own; null where the answer is none. */
  readonly problem: string | null;
  readonly ticket: number | null;
  /** The ticket's id; empty where it is not told. */
  readonly id: string;
  readonly position: number | null;
  readonly purchase: string | null;
  readonly seats: readonly number[];
}

/** Reads the numbers out of an answer: Usher's Status (proto3 JSON), its problem (RFC 9457), or the shop's sale. */
export function told(answer: WireAnswer): Told {
  const body = parseObject(answer.body);
  const ticket = asObject(body.ticket);
  const type = String(answer.headers["content-type"] ?? "");
  return {
    problem: type.startsWith("application/problem+json") ? problemType(body) : null,
    ticket: asNumber(ticket.number) ?? asNumber(answer.headers["usher-ticket"]),
    id: typeof ticket.id === "string" ? ticket.id : "",
    position: asNumber(ticket.position),
    purchase: typeof body.purchase === "string" ? body.purchase : null,
    seats: Array.isArray(body.seats) ? body.seats.filter((seat) => Number.isInteger(seat)) : [],
  };
}

/** What the types of Usher's problems begin with. A service may speak in problems, too. */
const PROBLEM_PREFIX = "urn:usher:problem:";

function problemType({ type }: Record<string, unknown>): string | null {
  return typeof type === "string" && type.startsWith(PROBLEM_PREFIX) ? type : null;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function asNumber(value: unknown): number | null {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 ? number : null;
}
