// A node that all callers lose at once, and that is there again a few seconds later; and what they and it counted.

import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@usher/sdk";
import { eventually } from "../../support/eventually.ts";
import { scrape } from "../../support/metrics.ts";
import { startUsher, type Usher, type UsherOptions } from "../../support/usher.ts";
import { type Counts, counted, whole } from "./counts.ts";
import { Crowd } from "./crowd.ts";
import { QUEUE, type Way } from "./ways.ts";

/** How a node is lost: killed, or ended in order, so that it tells callers when to come back. */
export const LOSSES = { killed: "SIGKILL", "ended in order": "SIGTERM" } as const;
export type Loss = keyof typeof LOSSES;

/** After so many milliseconds the node is started again, in the same place. */
const DOWN_MS = 3_000;
/** By then all have to be back, in milliseconds after the loss. */
const BACK_MS_MAX = 45_000;
/** How often the node is asked how many streams it has, in milliseconds. */
const LOOK_MS = 100;
/** One of so many is let in while the callers come back, so that positions move meanwhile. */
const ADMITTED_PART = 100;

export interface Found extends Counts {
  /** When the node's process was gone, in milliseconds since the loss, like all here. */
  readonly gone_ms: number;
  /** When the node was there again. */
  readonly up_ms: number;
  /** Until half of all had a stream again; absent: they never had. */
  readonly half_ms: number | undefined;
  /** Until the new node had told the last caller something; absent: not all came. */
  readonly back_ms: number | undefined;
  /** Streams more than before, by second, as the node counts those that are open. */
  readonly opened: readonly number[];
  /** How many of those who wait have no stream: they ask now and then. */
  readonly asking: number;
  /** What was not as promised, in words. */
  readonly broken: readonly string[];
}

/** A node, and its callers. */
export class Stage implements AsyncDisposable {
  readonly #options: UsherOptions;
  readonly #count: number;
  readonly #crowd: Crowd;
  #usher: Usher;
  #admitted = 0;

  private constructor(options: UsherOptions, count: number, usher: Usher, crowd: Crowd) {
    this.#options = options;
    this.#count = count;
    this.#usher = usher;
    this.#crowd = crowd;
  }

  /** Resolves when all watch. `options`: of the node, with a folder for its data. */
  static async open(way: Way, count: number, options: UsherOptions): Promise<Stage> {
    const usher = await startUsher(options);
    const { gatewayUrl, ports, apiKey } = usher;
    const crowd = new Crowd(way, count, { gatewayUrl, nativePort: ports.native, apiKey });
    const stage = new Stage(options, count, usher, crowd);
    try {
      await eventually(async () => {
        const streams = await streamsOf(usher);
        if (streams !== count) throw new Error(`${streams} of ${count} watch; ${crowd.complaints}`);
      }, BACK_MS_MAX);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The node is lost, and comes back. */
  async lose(loss: Loss): Promise<Found> {
    const lost_ms = Date.now();
    const { ports } = this.#usher;
    await this.#usher.kill(LOSSES[loss]);
    await this.#usher.stop();
    const gone_ms = Date.now() - lost_ms;
    await sleep(Math.max(0, lost_ms + DOWN_MS - Date.now()));
    this.#usher = await startUsher({ ...this.#options, ports });
    const up_ms = Date.now() - lost_ms;
    const before = this.#admitted;
    const [seen] = await Promise.all([this.#wait(lost_ms, () => this.#admitted > before), this.#admit()]);
    const broken = await this.#broken(seen.back_ms);
    return { ...counted(this.#crowd.attemptsSince(lost_ms), lost_ms), ...seen, gone_ms, up_ms, broken };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crowd[Symbol.asyncDispose]();
    await this.#usher.stop();
  }

  async #admit(): Promise<void> {
    using backend = this.#backend();
    const { admitted } = await backend.admit(QUEUE, { count: Math.ceil(this.#count / ADMITTED_PART) });
    this.#admitted += admitted;
  }

  /** Until all who wait have been told by the new node: that others were let in. */
  async #wait(
    lost_ms: number,
    isAdmitted: () => boolean,
  ): Promise<Pick<Found, "opened" | "half_ms" | "back_ms" | "asking">> {
    const opened: number[] = [];
    let half_ms: number | undefined;
    let before = 0;
    for (;;) {
      const streams = await streamsOf(this.#usher);
      const since_ms = Date.now() - lost_ms;
      const second = Math.floor(since_ms / 1_000);
      opened[second] = (opened[second] ?? 0) + Math.max(0, streams - before);
      before = Math.max(before, streams);
      if (streams >= this.#count / 2) half_ms ??= since_ms;
      const isAll = isAdmitted() && this.#crowd.allKnow(this.#admitted);
      if (isAll || since_ms > BACK_MS_MAX) {
        const asking = this.#count - this.#admitted - streams;
        return { opened: whole(opened), half_ms, back_ms: isAll ? since_ms : undefined, asking };
      }
      await sleep(LOOK_MS);
    }
  }

  /** What was not as promised. */
  async #broken(back_ms: number | undefined): Promise<string[]> {
    const broken: string[] = [];
    if (back_ms === undefined) broken.push(`not all came back within ${BACK_MS_MAX / 1_000} s`);
    using backend = this.#backend();
    const { lastNumber } = await backend.queue(QUEUE);
    if (lastNumber !== this.#count)
      broken.push(`${lastNumber} tickets were issued to ${this.#count} callers`);
    if (this.#crowd.faults > 0)
      broken.push(`${this.#crowd.faults} times a position rose, or a ticket changed`);
    return broken;
  }

  #backend() {
    return createClient({ baseUrl: `http://${this.#usher.nativeAddress}`, apiKey: this.#usher.apiKey });
  }
}

async function streamsOf(usher: Usher): Promise<number> {
  const found = /^usher_node_streams(?:\{[^}]*\})? (\d+)/m.exec(await scrape(usher));
  return Number(found?.[1] ?? 0);
}
