// An answer on its way to a client who may take it slowly. Where it keeps a slot of a limit meanwhile, that has an end:
// one reader a slot, a few bytes a second each, would stop a queue. All are looked at together, and none before its client
// has held it up.

import type { Writable } from "node:stream";
import type { ServiceLimits } from "./limits.ts";

/** How often the answers that are held up are looked at, in ms; 1,000. */
const LOOK_MS = 1_000;

/** What a delivery's client has done at the looks at which it held the answer up. */
interface Account {
  /** At the last look, whatever that found. */
  taken: number;
  /** In ms. */
  held_ms: number;
  /** Bytes. */
  heldTaken: number;
}

/** Those whose clients have held them up, as many as there are requests under way at most. */
const accounts = new Map<Delivery, Account | undefined>();
let looking: NodeJS.Timeout | undefined;

export interface DeliveryOptions {
  /** For how long, in ms altogether, the client may hold the answer up while it takes less than `slow_bytes` a second;
   * absent: as long as it will. */
  readonly most_ms: number | undefined;
  readonly limits: Pick<ServiceLimits, "slow_bytes" | "unseen_bytes">;
  /** Called once, when it has done so for longer. */
  readonly onSlow: () => void;
}

export class Delivery {
  readonly #sink: Writable;
  readonly #options: DeliveryOptions;
  #written = 0;
  #isHeldUp = false;

  /** A stream in which nothing happens is held up by nobody. */
  constructor(sink: Writable, options: DeliveryOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  /** Whether the client takes more now. */
  write(chunk: Buffer): boolean {
    this.#written += chunk.length;
    this.#isHeldUp = !this.#sink.write(chunk);
    if (this.#isHeldUp && this.#options.most_ms !== undefined) this.#watch();
    return !this.#isHeldUp;
  }

  /** The client has taken what there was. */
  drained(): void {
    this.#isHeldUp = false;
  }

  /** To be called once, whatever became of it. */
  over(): void {
    accounts.delete(this);
  }

  #watch(): void {
    if (!accounts.has(this)) accounts.set(this, undefined);
    looking ??= setInterval(look, LOOK_MS).unref();
  }

  /** What went to the client's connection before the first look does not count: the kernel takes some of it at once,
   * whoever reads. */
  look(account: Account | undefined): void {
    const taken = this.#written - this.#sink.writableLength;
    if (account === undefined) {
      accounts.set(this, { taken, held_ms: 0, heldTaken: 0 });
      return;
    }
    if (this.#isHeldUp) {
      account.held_ms += LOOK_MS;
      account.heldTaken += taken - account.taken;
    }
    account.taken = taken;
    if (!this.#isHeldUp || !this.#isSlow(account)) return;
    this.over();
    this.#options.onSlow();
  }

  #isSlow({ held_ms, heldTaken }: Account): boolean {
    const { most_ms = Number.POSITIVE_INFINITY, limits } = this.#options;
    const least = (limits.slow_bytes * held_ms) / 1_000;
    return held_ms >= most_ms && heldTaken + limits.unseen_bytes < least;
  }
}

function look(): void {
  if (accounts.size === 0) {
    clearInterval(looking);
    looking = undefined;
    return;
  }
  for (const [delivery, account] of accounts) delivery.look(account);
}
