// What the waiting page shows of a ticket, in words: made here for a page's beginning and for every change alike, so
// that the page itself only has to put it in its place.

import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Ticket } from "@usher/protocol/queue";
import type { Place, Replica } from "@usher/replica";
import type { Words } from "./words.ts";

const MINUTE_MS = 60_000;

/** How soon a page asks again where nothing is said, in ms. */
const RETRY_MS = 5_000;

export interface View {
  /** The ticket's id: under it the page keeps how far it has come. */
  readonly id: string;
  readonly state: "waiting" | "turn" | "over";
  /** Live tickets ahead plus one; 0 at the turn and after the end. */
  readonly position: number;
  /** When to ask again, in ms. */
  readonly retry_ms: number;
  /** Of the document. */
  readonly title: string;
  /** In a few sentences, for those who listen. */
  readonly summary: string;
  /** By their places in the page; an empty one is not shown. */
  readonly texts: {
    readonly heading: string;
    readonly position: string;
    readonly number: string;
    readonly ahead: string;
    readonly estimate: string;
    readonly notice: string;
    readonly paused: string;
    readonly stale: string;
  };
}

export function viewOf(replica: Replica, place: Place, words: Words, language: string): View {
  const { stale, notice, ticket, retryAfter } = replica.desk.status(place);
  const { number, position = 0 } = place.view;
  const figure = (value: number) => value.toLocaleString(language);
  const state = stateOf(place);
  const heading = headingOf(place, words);
  const estimate = estimateOf(ticket, words);
  const waiting = state === "waiting";
  const paused = waiting && place.queue.settings.mode === "paused" ? words.paused : "";
  const last = stale ? words.stale : "";
  const told = [words.summary(figure(position), estimate), paused, last, notice].filter(
    (text) => text !== "",
  );
  return {
    id: ticket?.id ?? "",
    state,
    position,
    retry_ms: retryAfter === undefined ? RETRY_MS : durationMs(retryAfter),
    title: waiting ? words.title(figure(position)) : heading,
    summary: waiting ? told.join(" ") : heading,
    texts: {
      heading,
      position: figure(position),
      number: figure(number),
      ahead: figure(Math.max(0, position - 1)),
      estimate,
      notice,
      paused,
      stale: last,
    },
  };
}

function stateOf({ view }: Place): View["state"] {
  if (view.state === "waiting") return "waiting";
  return view.state === "admitted" ? "turn" : "over";
}

function headingOf({ view }: Place, words: Words): string {
  switch (view.state) {
    case "waiting":
      return words.waiting;
    case "admitted":
      return words.turn;
    case "left":
      return words.left;
    case "expired":
      return words.expired;
    case "completed":
      return words.over;
  }
}

function estimateOf(ticket: Ticket | undefined, words: Words): string {
  if (ticket?.waitP50 === undefined || ticket.waitP90 === undefined) return words.unknown;
  const from = Math.floor(durationMs(ticket.waitP50) / MINUTE_MS);
  return words.minutes({ from, to: Math.ceil(durationMs(ticket.waitP90) / MINUTE_MS) });
}
