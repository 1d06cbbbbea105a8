// The process in numbers.

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ProcessReadings } from "./readings.ts";

/** How often the event loop is looked at, in ms; 20. It cannot be seen to be late by less. */
const RESOLUTION_MS = 20;

const NS_PER_S = 1e9;

/** Watches this process until it is closed. */
export class ProcessWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  /** What the event loop did is told once: since the reading before. */
  read(): ProcessReadings {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const late = (ns: number): number => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1000);
    const quiet = this.#delay.count === 0;
    const loopDelay_s = {
      "0.5": quiet ? 0 : late(this.#delay.percentile(50)),
      "0.99": quiet ? 0 : late(this.#delay.percentile(99)),
      "1": quiet ? 0 : late(this.#delay.max),
    };
    this.#delay.reset();
    return {
      resident_bytes: rss,
      heap_bytes: heapUsed,
      cpu_s: (user + system) / 1e6,
      started_s: Math.round(performance.timeOrigin / 1000),
      loopDelay_s,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
