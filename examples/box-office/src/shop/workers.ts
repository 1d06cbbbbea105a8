// The shop's capacity: so many workers, and a bounded line in front of them.

import type { Random } from "../random.ts";
import type { ShopSettings } from "./settings.ts";

/**
 * - `done`: worked on, to the end.
 * - `full`: as many wait as may.
 * - `timed_out`: waited as long as a purchase may; not begun.
 * - `left`: its caller hung up while it waited; not begun.
 */
export type WorkResult = "done" | "full" | "timed_out" | "left";

interface Waiting {
  begin(): void;
}

export class Workers {
  readonly #settings: ShopSettings;
  readonly #random: Random;
  readonly #inFlight: () => number;
  /** In the order of arrival (a Set keeps it); at most `waiting_max`. */
  readonly #waiting = new Set<Waiting>();
  #working = 0;

  /** `inFlight` tells how many purchases the shop has on its hands, which is what slows the workers down. */
  constructor(settings: ShopSettings, random: Random, inFlight: () => number) {
    this.#settings = settings;
    this.#random = random;
    this.#inFlight = inFlight;
  }

  /** Waits for a worker, then for its work. What has been begun is ended, whether or not the caller is still there. */
  async run(caller?: AbortSignal): Promise<WorkResult> {
    if (caller?.aborted) return "left";
    if (this.#working >= this.#settings.workers) {
      if (this.#waiting.size >= this.#settings.waiting_max) return "full";
      const turn = await this.#turn(caller);
      if (turn !== "begun") return turn;
    } else {
      this.#working++;
    }
    await new Promise((resolve) => setTimeout(resolve, this.#workTime_ms()));
    this.#working--;
    this.#beginNext();
    return "done";
  }

  #turn(caller?: AbortSignal): Promise<"begun" | "timed_out" | "left"> {
    return new Promise((resolve) => {
      const end = (result: "begun" | "timed_out" | "left"): void => {
        clearTimeout(timer);
        caller?.removeEventListener("abort", leave);
        this.#waiting.delete(waiting);
        resolve(result);
      };
      const leave = (): void => end("left");
      const timer = setTimeout(() => end("timed_out"), this.#settings.patience_ms);
      const waiting: Waiting = { begin: () => end("begun") };
      caller?.addEventListener("abort", leave);
      this.#waiting.add(waiting);
    });
  }

  #beginNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    // Taken in the name of the next, so that no newcomer gets between.
    this.#working++;
    next.begin();
  }

  #workTime_ms(): number {
    const { work_ms, jitter, contention, workers } = this.#settings;
    const crowd = Math.max(0, this.#inFlight() - workers) / workers;
    return work_ms * this.#random.between(1 - jitter, 1 + jitter) * (1 + contention * crowd);
  }
}
