// Both crowds, side by side: what the shops and the buyers tell comes from this page's server, and the line from Usher.

import type { QueueStatus } from "@usher/sdk/web";
import type { Figures, Side } from "../figures.ts";
import { Chart, type SideName } from "./chart.ts";
import { find, show } from "./elements.ts";
import { usher } from "./gateway.ts";
import { count, say } from "./words.ts";

/** How long between two looks, in milliseconds: while a crowd is there, while none is, and while nobody sees the page. */
const PACE_MS = { running: 300, idle: 1_000, hidden: 5_000 } as const;

/** How long one look at the page's server may take, in milliseconds. */
const LOOK_MS = 3_000;

export class Comparison {
  readonly #tellReach: (isThere: boolean) => void;
  readonly #chart = new Chart();
  readonly #button = find<HTMLButtonElement>("#send");
  readonly #said = find("#run");
  #run = 0;
  #isRunning = false;
  #wake: () => void = () => {};

  /** `tellReach`: told at each look whether Usher was there. */
  constructor(tellReach: (isThere: boolean) => void) {
    this.#tellReach = tellReach;
    this.#button.addEventListener("click", () => void this.#send());
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("online", () => this.#wake());
  }

  /** Looks, for as long as the page is open. */
  async run(): Promise<never> {
    for (;;) {
      await Promise.all([this.#lookAtCrowds(), this.#lookAtLine()]);
      const pace = document.hidden ? "hidden" : this.#isRunning ? "running" : "idle";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, PACE_MS[pace]);
      });
    }
  }

  async #send(): Promise<void> {
    try {
      const answer = await fetch("/page/crowds", { method: "POST", signal: AbortSignal.timeout(LOOK_MS) });
      const figures: Figures = await answer.json();
      this.#take(figures);
      if (answer.status === 409) this.#said.textContent = say("still");
    } catch (error) {
      this.#said.textContent = say("broken", { why: String(error) });
    }
    this.#wake();
  }

  async #lookAtCrowds(): Promise<void> {
    try {
      const answer = await fetch("/page/figures", { signal: AbortSignal.timeout(LOOK_MS) });
      this.#take(await answer.json());
    } catch {
      // The next look comes by itself; what was seen last stays.
    }
  }

  async #lookAtLine(): Promise<void> {
    try {
      this.#showLine(await usher.queue("purchases"));
      this.#tellReach(true);
    } catch {
      this.#tellReach(false);
    }
  }

  #take(figures: Figures): void {
    const { run, isRunning, buyers, direct, usher, fault } = figures;
    if (run !== this.#run) this.#chart.clear();
    if (isRunning && (run !== this.#run || !this.#isRunning))
      this.#said.textContent = say("running", { buyers });
    if (!isRunning && this.#isRunning)
      this.#said.textContent =
        fault === undefined
          ? say("done", { buyers, direct: direct.crowd.answered, usher: usher.crowd.answered })
          : say("broken", { why: fault });
    if (isRunning || this.#isRunning)
      this.#chart.add(direct.shop.inFlight, usher.shop.inFlight, direct.shop.inFlightMax);
    this.#run = run;
    this.#isRunning = isRunning;
    // Still to be reached by the keyboard, and pressed, for which there is an answer.
    this.#button.setAttribute("aria-disabled", `${isRunning}`);
    showSide("direct", direct, buyers);
    showSide("usher", usher, buyers);
  }

  #showLine({ waiting, pacePerSecond }: QueueStatus): void {
    figure("usher", "waiting", count(waiting));
    figure("usher", "pace", pacePerSecond === undefined ? "–" : count(Math.round(pacePerSecond)));
  }
}

function showSide(name: SideName, { crowd, shop }: Side, buyers: number): void {
  const failed = crowd.failed + crowd.unknown + crowd.lost;
  figure(name, "inFlight", count(shop.inFlight));
  figure(name, "inFlightMax", count(shop.inFlightMax));
  figure(name, "sold", count(shop.sold));
  figure(name, "answered", count(crowd.answered));
  figure(name, "failed", count(failed));
  const bar = find(`#${name} .bar`);
  const width = (part: number) => `${(100 * part) / Math.max(1, buyers)}`;
  find(".answered", bar).setAttribute("width", width(crowd.answered));
  find(".failed", bar).setAttribute("x", width(crowd.answered));
  find(".failed", bar).setAttribute("width", width(failed));
}

function figure(side: SideName, name: string, text: string): void {
  show(find(`#${side} [data-figure=${name}]`), text);
}
