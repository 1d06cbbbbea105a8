// Both crowds, side by side: what the shops and the buyers tell comes from this page's server, and the line from Usher.

import type { QueueStatus } from "@usher/sdk/web";
import type { Figures, Side } from "../figures.ts";
import { Chart, type SideName } from "./chart.ts";
import { find, show } from "./elements.ts";
import { nodes } from "./gateway.ts";
import { count, say, seconds } from "./words.ts";

/** How long between two looks, in milliseconds: while a crowd is there, while none is, and while nobody sees the page. */
const PACE_MS = { running: 300, idle: 1_000, hidden: 5_000 } as const;

/** How long one look at the page's server may take, in milliseconds. */
const LOOK_MS = 3_000;

/** What a look has found. */
export interface Reach {
  /** Whether this page's server was there, which is the shop's. */
  readonly isShopThere: boolean;
  /** How many of Usher's nodes were. */
  readonly nodesThere: number;
}

export class Comparison {
  readonly #tellReach: (reach: Reach) => void;
  readonly #chart = new Chart();
  readonly #button = find<HTMLButtonElement>("#send");
  readonly #said = find("#run");
  #run = 0;
  #isRunning = false;
  #wake: () => void = () => {};

  constructor(tellReach: (reach: Reach) => void) {
    this.#tellReach = tellReach;
    this.#button.addEventListener("click", () => void this.#send());
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("online", () => this.#wake());
  }

  /** Looks, for as long as the page is open. */
  async run(): Promise<never> {
    for (;;) {
      const [isShopThere, nodesThere] = await Promise.all([this.#lookAtCrowds(), this.#lookAtLine()]);
      this.#tellReach({ isShopThere, nodesThere });
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
    } catch {
      this.#said.textContent = say("notSent");
    }
    this.#wake();
  }

  async #lookAtCrowds(): Promise<boolean> {
    try {
      const answer = await fetch(`/page/figures?from=${this.#chart.length}`, {
        signal: AbortSignal.timeout(LOOK_MS),
      });
      this.#take(await answer.json());
      return true;
    } catch {
      // The next look comes by itself; what was seen last stays.
      return false;
    }
  }

  async #lookAtLine(): Promise<number> {
    const looks = await Promise.allSettled(nodes.map((node) => node.queue("purchases")));
    const seen = looks.filter((look) => look.status === "fulfilled");
    // Each node knows the whole line.
    for (const { value } of seen.slice(0, 1)) this.#showLine(value);
    return seen.length;
  }

  #take(figures: Figures): void {
    const { run, isRunning, buyers, direct, usher, fault } = figures;
    if (run !== this.#run) this.#chart.clear();
    if (isRunning && (run !== this.#run || !this.#isRunning))
      this.#said.textContent = say("running", { buyers });
    if (!isRunning && (run !== this.#run || this.#isRunning))
      this.#said.textContent =
        fault === undefined
          ? say("done", { buyers, direct: direct.crowd.answered, usher: usher.crowd.answered })
          : say("broken", { why: fault });
    this.#chart.add(figures);
    this.#run = run;
    this.#isRunning = isRunning;
    // Still to be reached by the keyboard, and pressed, for which there is an answer.
    this.#button.setAttribute("aria-disabled", `${isRunning}`);
    showSide("direct", direct, run === 0 ? 0 : buyers);
    showSide("usher", usher, run === 0 ? 0 : buyers);
  }

  #showLine({ waiting, pacePerSecond }: QueueStatus): void {
    // The pace is told for a while after the last one, of whom there is no line any more.
    const isMoving = waiting > 0 && pacePerSecond !== undefined;
    figure("usher", "waiting", count(waiting));
    figure("usher", "pace", isMoving ? count(Math.round(pacePerSecond)) : "–");
  }
}

/** `buyers`: how many were sent. Of these, everybody is in one of the figures at any time. */
function showSide(name: SideName, { crowd, shop, lasted_ms }: Side, buyers: number): void {
  const failed = crowd.failed + crowd.lost;
  // What was cut off on its way, as when Usher is killed: rare, and not to be called a failure.
  const doubtful = crowd.unknown;
  figure(name, "inFlight", count(shop.inFlight));
  figure(name, "inFlightMax", count(shop.inFlightMax));
  figure(name, "answered", count(crowd.answered));
  figure(name, "failed", count(failed));
  figure(name, "open", count(buyers - crowd.answered - failed - doubtful));
  figure(name, "doubtful", count(doubtful));
  find(`#${name} .doubtful`).hidden = doubtful === 0;
  figure(name, "lasted", lasted_ms === 0 ? "–" : seconds(lasted_ms));
  const bar = find(`#${name} .bar`);
  const width = (part: number) => `${(100 * part) / Math.max(1, buyers)}`;
  find(".answered", bar).setAttribute("width", width(crowd.answered));
  find(".failed", bar).setAttribute("x", width(crowd.answered));
  find(".failed", bar).setAttribute("width", width(failed));
}

function figure(side: SideName, name: string, text: string): void {
  show(find(`#${side} [data-figure=${name}]`), text);
}
