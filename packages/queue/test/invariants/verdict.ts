// What checks share: how they tell what is wrong, and what they read from a step.

import type { TicketView } from "../../src/index.ts";
import type { QueueStep, Step } from "../trace.ts";

/** What is wrong, and at which record; undefined: it holds. */
export type Verdict = string | undefined;

export function at(step: { at: number; record: Step["record"] }, what: string): string {
  return `record ${step.at} (${step.record.event.kind}): ${what}`;
}

/** The number of the ticket that this record made. */
export function issuedBy({ outcome }: QueueStep): number | undefined {
  return outcome?.kind === "issued" && !outcome.existing ? outcome.number : undefined;
}

/** The number of the ticket whose failed request this record takes up again, by an operator's word. */
export function retriedBy({ record: { event }, outcome }: QueueStep): number | undefined {
  return event.kind === "request_retried" && outcome?.kind === "applied" ? event.number : undefined;
}

export function isLive(view: TicketView | undefined): boolean {
  return view?.state === "waiting" || view?.state === "admitted";
}

export function shown({ state, request }: TicketView): string {
  return request === undefined ? state : `${state} (${request})`;
}
