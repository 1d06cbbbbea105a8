// A room for one, behind a queue in which people wait: the same `await fetch`. The SDK keeps who the visitor is in the
// browser's storage, so that all its tabs are one person, with one ticket.

import { createFetch, type Status } from "@usher/sdk/web";
import { fetchFromUsher, gateway } from "./gateway.ts";
import { reasonIn } from "./refusal.ts";
import { Remembered, storage } from "./remembering.ts";
import { Turn } from "./turn.ts";
import { say } from "./words.ts";

export class Backstage {
  readonly #turn = new Turn("backstage", {
    word: "enter",
    go: () => void this.#enter(),
    end: () => void this.#leave(),
  });
  readonly #fetch = createFetch({
    origins: [gateway],
    fetch: fetchFromUsher,
    storage,
    onStatus: (status) => this.#waits(status),
  });
  /** That this browser's visitor is backstage, or waits for it. */
  readonly #visit = new Remembered("box-office:backstage");
  #leaving = new AbortController();
  #ticket: number | undefined;
  /** Whether the place was given up, here or in another tab. */
  #hasLeft = false;
  /** What proves that one is in. */
  #pass: string | undefined;

  /** Goes on with what was begun before a reload, or in another tab. */
  begin(): void {
    if (this.#visit.get() !== null) void this.#enter();
    this.#visit.whenChanged((visit) => {
      if (visit !== null) void this.#enter();
      else if (this.#pass !== undefined) this.#outside(say("out"), say("outWhy"));
      else this.#leaving.abort();
    });
  }

  async #enter(): Promise<void> {
    this.#leaving = new AbortController();
    this.#ticket = undefined;
    this.#pass = undefined;
    this.#hasLeft = false;
    this.#turn.show({ state: "asking", headline: say("asking") });
    try {
      const { signal } = this.#leaving;
      // Known by what the SDK remembers, and not by cookies: so it works from any origin.
      const answer = await this.#fetch(`${gateway}/backstage`, { signal, credentials: "omit" });
      const said = await answer.json();
      this.#pass = answer.headers.get("usher-pass") ?? this.#pass;
      if (answer.ok) this.#inside(said.ticket);
      else if (this.#hasLeft) this.#outside(say("left"), "");
      else this.#outside(say("notIn"), reasonIn(said, answer.status));
    } catch {
      if (this.#leaving.signal.aborted) this.#outside(say("left"), "");
      // Inside or out, whoever asks again is told.
      else this.#turn.show({ state: "done", headline: say("unreached"), detail: say("sameVisitor") });
    }
  }

  /** Out of the line, or out of the room. */
  async #leave(): Promise<void> {
    if (this.#pass === undefined) {
      this.#leaving.abort();
      return;
    }
    const answer = await fetch("/page/exit", { method: "POST", body: this.#pass }).catch(() => undefined);
    if (answer?.ok) {
      this.#outside(say("out"), say("outWhy"));
    } else {
      const [headline, detail, end] = [say("inside"), say("stillIn"), say("comeOut")];
      this.#turn.show({ state: "done", headline, detail, ticket: this.#ticket, end });
    }
  }

  #waits(status: Status): void {
    this.#ticket = status.number;
    this.#hasLeft = status.state === "left";
    if (status.state === "admitted") this.#pass = status.pass;
    if (status.state !== "waiting") return;
    // Not before: another tab that hears of it comes as the same visitor, who is known by now.
    this.#visit.set("yes");
    this.#turn.showPlace(status, say("leaveLine"));
  }

  #inside(ticket: number): void {
    this.#visit.set("yes");
    this.#ticket = ticket;
    const [headline, detail, end] = [say("inside"), say("insideWhy"), say("comeOut")];
    this.#turn.show({ state: "done", headline, detail, ticket, end });
  }

  #outside(headline: string, detail: string): void {
    this.#visit.clear();
    this.#pass = undefined;
    this.#turn.show({ state: "done", headline, detail, ticket: this.#ticket });
  }
}
