// A ticket's story in words.

import type { ReleaseReason } from "@usher/queue";
import { columns, momentText, printable, secondsText, word } from "../text.ts";
import type { Fact, What } from "./facts.ts";
import type { Story } from "./story.ts";

/** How long the ticket's holder waited, in ms of log time; each absent where it did not come so far. */
export interface Waits {
  /** From the issue to the (first) admission. */
  readonly to_admission_ms?: number;
  /** From there to the first claim. */
  readonly to_claim_ms?: number;
  /** From the issue to the end, of whatever kind. */
  readonly to_end_ms?: number;
}

const ENDS: ReadonlySet<What> = new Set<What>([
  ...(["answered", "left", "completed", "expired", "failed", "unknown"] as const),
]);

export function waitsOf({ events }: Story): Waits {
  const first = (wanted: (what: What) => boolean) => events.find(({ what }) => wanted(what))?.log_time_ms;
  const issued = first((what) => what === "issued");
  const admitted = first((what) => what === "admitted");
  const claimed = first((what) => what === "claimed");
  const ended = events.findLast(({ what }) => ENDS.has(what))?.log_time_ms;
  return {
    to_admission_ms: between(issued, admitted),
    to_claim_ms: between(admitted, claimed),
    to_end_ms: between(issued, ended),
  };
}

function between(from_ms: number | undefined, to_ms: number | undefined): number | undefined {
  return from_ms === undefined || to_ms === undefined ? undefined : to_ms - from_ms;
}

/** How the ticket stands after the last record that concerns it. */
export function standing({ events }: Story): What | "waiting" | "being sent" {
  const last = events.findLast(({ what }) => !ASIDES.has(what))?.what;
  if (last === "issued" || last === undefined) return "waiting";
  if (last === "settled") return "answered";
  if (last === "claimed") return "being sent";
  return ["released", "lapsed", "retried"].includes(last) ? "admitted" : last;
}

/** What changes nothing about the ticket. */
const ASIDES: ReadonlySet<What> = new Set<What>(["refused", "found", "extended", "no effect", "forgotten"]);

/** All of it, for people. */
export function storyText(story: Story, id: string): string {
  const { queue, number, events, more } = story;
  const { to_admission_ms, to_claim_ms, to_end_ms } = waitsOf(story);
  const waits = [
    ...(to_admission_ms === undefined ? [] : [`${secondsText(to_admission_ms)} for its turn`]),
    ...(to_claim_ms === undefined ? [] : [`${secondsText(to_claim_ms)} to be sent`]),
    ...(to_end_ms === undefined ? [] : [`${secondsText(to_end_ms)} in all`]),
  ];
  const forgotten = events.at(-1)?.what === "forgotten" ? ", and forgotten since" : "";
  const rows = events.map((event) => [
    String(event.offset),
    (event.log_time_ms / 1_000).toFixed(3),
    momentText(event.wall_ms),
    word(event.node),
    sentence(event),
  ]);
  return [
    `ticket ${number} in ${printable(queue)} (${printable(id)}): ${standing(story)}${forgotten}`,
    ...(waits.length === 0 ? [] : [`waited ${waits.join(", ")} (log time)`]),
    "",
    columns([["OFFSET", "T (S)", "WALL TIME", "BY", "WHAT"], ...rows]),
    ...(more === 0 ? [] : [`and ${more} more`]),
  ].join("\n");
}

type Details = Fact["details"];

const SENTENCES: Readonly<Record<What, (details: Details) => string>> = {
  refused: ({ why }) => `refused a request under its key: ${reasonText(why)}`,
  issued: issuedText,
  found: ({ by }) => `found again by somebody with the same ${by}`,
  admitted: (details) => `admitted from place ${details.position}, ${causeText(details)}`,
  claimed: ({ attempt, timeout_ms, idempotent }) =>
    `claimed for attempt ${attempt}, which may take ${secondsText(Number(timeout_ms))}` +
    (idempotent === true ? " and may be repeated" : ""),
  released: ({ attempt, reason, not_before_ms }) =>
    `attempt ${attempt} gave it back: ${RELEASED[String(reason)] ?? reasonText(reason)}` +
    (Number(not_before_ms) > 0 ? `; not before ${secondsText(Number(not_before_ms))}` : ""),
  lapsed: () => "the claim's time was over without a word of its node",
  answered: ({ attempt, status }) => `the service answered attempt ${attempt} with ${status}`,
  settled: () => "so its outcome is known after all",
  left: () => "given up by its holder",
  completed: () => "completed by a backend",
  expired: (details) => `expired: its time was over${causedBy(details)}`,
  failed: (details) => `failed: surely not carried out, and not tried again${causedBy(details)}`,
  unknown: (details) => `unknown: it may have been carried out, so it is not sent again${causedBy(details)}`,
  retried: ({ reason }) => `taken up again by an operator: ${word(String(reason))}`,
  extended: () => "its holder is still there: the session begins anew",
  "no effect": ({ record, why, attempt }) =>
    `${record}${attempt === undefined ? "" : `, attempt ${attempt},`} had no effect: ${reasonText(why)}`,
  forgotten: () => "remembered no longer: its number is, but neither its key nor its answer",
};

const RELEASED: Readonly<Record<string, string>> = {
  refused: "the service refused it with 429 or 503",
  not_connected: "no connection to the service",
  draining: "the node shut down before sending",
  lost: "the connection broke after sending had begun",
  timed_out: "no whole answer in time",
  payload_gone: "the stored request is gone, or cannot be read",
} satisfies Record<ReleaseReason, string>;

function sentence({ what, details }: Fact): string {
  return SENTENCES[what](details);
}

function issuedText({ position, waiting, stored_request, key, subject }: Details): string {
  const place = position === 0 ? "with room at once" : `at place ${position} of ${waiting}`;
  const parts = [
    ...(stored_request === true ? ["with a stored request"] : []),
    ...(key === true ? ["under an idempotency key"] : []),
    ...(subject === true ? ["for a named subject"] : []),
  ];
  return ["issued", place, ...parts].join(", ");
}

function causeText({ by, of, term }: Details): string {
  switch (by) {
    case "tick":
      return `by this tick of term ${term}`;
    case "ticket_issued":
      return "by its own issue";
    case "admit_requested":
      return "by a backend's Admit";
    case "queue_configured":
      return "by this change of the queue's settings";
    case "ticket_left":
      return `when ticket ${of} left`;
    case "ticket_completed":
      return `when ticket ${of} was completed`;
    case "request_answered":
      return `when ticket ${of} was answered`;
    case "claim_released":
      return `when ticket ${of} ended unanswered`;
    default:
      return `by this ${by}`;
  }
}

function causedBy(details: Details): string {
  return details.by === undefined ? "" : ` (${causeText(details)})`;
}

function reasonText(reason: Details[string] | undefined): string {
  return String(reason ?? "").replaceAll("_", " ");
}
