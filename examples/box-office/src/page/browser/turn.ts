// What one sees of one's own turn: the place, the likely wait, the ticket, what has become of it; and the two buttons.

import type { Status } from "@usher/sdk/web";
import { find, show } from "./elements.ts";
import { count, durations, say, type Word } from "./words.ts";

/** How long the next step of a place is not read to those who listen, in milliseconds; other news is read at once. */
const HEARD_MS = 10_000;

/** - `idle`: nothing has been asked for.
 * - `asking`: there is no answer yet, and no place.
 * - `waiting`: in line.
 * - `sending`: it is one's turn.
 * - `done`: there is an answer. */
export type TurnState = "idle" | "asking" | "waiting" | "sending" | "done";

export interface Shown {
  readonly state: TurnState;
  readonly headline?: string;
  readonly detail?: string;
  /** The ticket's number. */
  readonly ticket?: number | undefined;
  /** What the second button says, which is there in place of the first; absent: there is none. */
  readonly end?: string;
}

export interface TurnParts {
  /** What the first button says. */
  readonly word: Word;
  /** The first button was pressed. */
  readonly go: () => void;
  /** The second was. */
  readonly end: () => void;
}

export class Turn {
  readonly #section: HTMLElement;
  readonly #go: HTMLButtonElement;
  readonly #end: HTMLButtonElement;
  #heard_ms = Number.NEGATIVE_INFINITY;

  constructor(id: string, { word, go, end }: TurnParts) {
    this.#section = find(`#${id}`);
    this.#go = find<HTMLButtonElement>(".go", this.#section);
    this.#end = find<HTMLButtonElement>(".end", this.#section);
    show(this.#go, say(word));
    this.#go.addEventListener("click", () => {
      if (this.#go.ariaDisabled !== "true") go();
    });
    this.#end.addEventListener("click", end);
  }

  /** Anything but a place in line. */
  show({ state, headline = "", detail = "", ticket, end }: Shown): void {
    this.#place(undefined);
    this.#set(state, headline, detail, ticket, end);
    show(find(".notice", this.#section), "");
    this.#say([headline, detail].filter(Boolean).join(". "));
  }

  /** A place in line. `end`: what the second button says. */
  showPlace(status: Status, end: string): void {
    const { position = 0, number, notice = "" } = status;
    const estimate = estimateOf(status);
    const isFirst = this.#section.dataset.place === undefined;
    this.#place(position);
    this.#set("waiting", "", estimate, number, end);
    show(find(".notice", this.#section), notice);
    if (isFirst || performance.now() - this.#heard_ms > HEARD_MS)
      this.#say(say("heard", { place: position, estimate }));
  }

  #set(
    state: TurnState,
    headline: string,
    detail: string,
    ticket: number | undefined,
    end: string | undefined,
  ): void {
    const section = this.#section;
    find(".state", section).dataset.state = state;
    show(find(".headline", section), headline);
    show(find(".detail", section), detail);
    show(find(".ticket", section), ticket === undefined ? "" : say("ticket", { number: ticket }));
    const hadFocus = document.activeElement;
    this.#go.hidden = end !== undefined;
    this.#go.ariaDisabled = `${state === "asking" || state === "sending"}`;
    show(this.#end, end ?? "");
    // Whoever has pressed the one goes on from the other.
    if (hadFocus === this.#go && this.#go.hidden && !this.#end.hidden) this.#end.focus();
    if (hadFocus === this.#end && this.#end.hidden && !this.#go.hidden) this.#go.focus();
  }

  #place(position: number | undefined): void {
    const place = find(".place", this.#section);
    place.hidden = position === undefined;
    if (position === undefined) delete this.#section.dataset.place;
    else this.#section.dataset.place = `${position}`;
    show(find("span", place), position === undefined ? "" : say("place"));
    show(find("b", place), position === undefined ? "" : count(position));
  }

  #say(text: string): void {
    this.#heard_ms = performance.now();
    find(".heard", this.#section).textContent = text;
  }
}

function estimateOf({ waitP50, waitP90, stale }: Status): string {
  if (stale) return say("stale");
  if (waitP50 === undefined || waitP90 === undefined) return say("noEstimate");
  return say("estimate", { range: durations(waitP50, waitP90) });
}
