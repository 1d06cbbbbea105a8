// One's own seat. The whole of waiting is `await fetch`: the request is answered when its turn has come, and the SDK keeps
// the ticket in the browser's storage meanwhile, so that the same request, made again after a reload, takes it up.

import { createFetch, type Status } from "@usher/sdk/web";
import { fetchFromUsher, gateway } from "./gateway.ts";
import { reasonIn } from "./refusal.ts";
import { Remembered, storage } from "./remembering.ts";
import { Turn } from "./turn.ts";
import { say } from "./words.ts";

export class Purchase {
  readonly #turn = new Turn("purchase", {
    word: "buy",
    go: () => void this.#buy(),
    end: () => this.#leaving.abort(),
  });
  readonly #fetch = createFetch({
    origins: [gateway],
    fetch: fetchFromUsher,
    storage,
    onStatus: (status) => this.#waits(status),
  });
  /** The order that has no answer yet: one for a browser, in however many tabs. */
  readonly #order = new Remembered("box-office:order");
  #leaving = new AbortController();
  #ticket: number | undefined;
  /** Whether the place was given up, here or in another tab. */
  #hasLeft = false;

  /** Goes on with what was begun before a reload. */
  begin(): void {
    if (this.#order.get() !== null) void this.#buy();
  }

  async #buy(): Promise<void> {
    const order = this.#order.get() ?? newOrder();
    this.#order.set(order);
    this.#leaving = new AbortController();
    this.#ticket = undefined;
    this.#hasLeft = false;
    this.#turn.show({ state: "asking", headline: say("asking") });
    try {
      const answer = await this.#fetch(`${gateway}/api/purchases`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: order,
        signal: this.#leaving.signal,
      });
      this.#order.clear();
      await this.#answered(answer);
    } catch {
      // Who tries again makes the same request: it may have been carried out.
      if (!this.#leaving.signal.aborted) {
        this.#turn.show({ state: "done", headline: say("unreached"), detail: say("sameRequest") });
        return;
      }
      this.#order.clear();
      this.#turn.show({ state: "done", headline: say("left"), ticket: this.#ticket });
    }
  }

  #waits(status: Status): void {
    this.#ticket = status.number || this.#ticket;
    this.#hasLeft = status.state === "left";
    if (status.state === "waiting") this.#turn.showPlace(status, say("giveUp"));
    else if (status.state === "admitted")
      this.#turn.show({ state: "sending", headline: say("sending"), ticket: this.#ticket });
  }

  async #answered(answer: Response): Promise<void> {
    const ticket = this.#ticket;
    const said = await answer.json().catch(() => ({}));
    if (answer.status === 201) {
      const [seat = 0] = said.seats;
      const headline = say("seat", { seat });
      const detail = say("bought", { purchase: said.purchase });
      this.#turn.show({ state: "done", headline, detail, ticket });
    } else if (answer.status === 409 && said.type === undefined) {
      this.#turn.show({ state: "done", headline: say("soldOut"), detail: say("soldOutWhy"), ticket });
    } else if (this.#hasLeft) {
      this.#turn.show({ state: "done", headline: say("left"), ticket });
    } else {
      const headline = say(said.type === "urn:usher:problem:outcome_unknown" ? "unknown" : "refused");
      const detail = reasonIn(said, answer.status);
      this.#turn.show({ state: "done", headline, detail, ticket });
    }
  }
}

/** Each order is one of its own, though they all ask for the same. */
function newOrder(): string {
  const name = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16)).join("");
  return JSON.stringify({ buyer: `visitor ${name}`, seats: 1 });
}
