// Takes a ticket by RPC and waits for its turn, watching its place or asking for it, on either node, saying what it
// has seen already. Once admitted, a backend completes it after a while; or it leaves; or it is never heard of again.

import { ClientOfTwo, type World } from "./client.ts";
import { type Door, otherDoor } from "./doors.ts";
import type { End } from "./http.ts";
import { pause } from "./patience.ts";
import { CALL_MS, failure } from "./rpc.ts";
import { seenOf } from "./seen.ts";

/** One of so many visitors has an idempotency key. */
const KEYED = 0.85;
/** Of those with a key: asks both nodes at once. */
const TWINS = 0.1;
/** Watches its place; the others ask for it. */
const WATCHES = 0.5;
/** Leaves while it waits; leaves once it is in; goes without a word. */
const LEAVES_THE_LINE = 0.06;
const LEAVES_INSIDE = 0.08;
const VANISHES = 0.01;

/** Between two tries of the same call, in milliseconds. */
const AGAIN_MS = [300, 900] as const;
/** Between two looks at the ticket, in milliseconds. */
const LOOK_MS = [400, 1_500] as const;
/** How long an admitted visitor stays inside, in milliseconds. */
const STAYS_MS = [100, 900] as const;
/** How long a stream may be silent before it is opened elsewhere, in milliseconds: it should never be for 15 s. */
const SILENCE_MS = 16_000;

export class Visitor extends ClientOfTwo {
  readonly #watches: boolean;
  readonly #leavesTheLine: boolean;
  #token = "";
  #id = "";

  constructor(world: World, options: { name: string; queue: string; seed: number }) {
    super(world, { ...options, keyed: KEYED });
    this.#watches = this.chance() < WATCHES;
    this.#leavesTheLine = this.chance() < LEAVES_THE_LINE;
  }

  async run(): Promise<void> {
    if (!(await this.#issue())) return;
    if (this.#leavesTheLine) {
      await pause(this.between(200, 2_000), this.world.stop);
      await this.#leave();
    }
    await this.#wait();
    if (this.last?.state !== "admitted") return;
    await pause(this.between(...STAYS_MS), this.world.stop);
    const whim = this.chance();
    if (whim < VANISHES) return;
    if (whim < VANISHES + LEAVES_INSIDE) await this.#leave();
    else await this.#complete();
    await this.#look();
  }

  /** Whether it has a ticket. */
  async #issue(): Promise<boolean> {
    const { stop } = this.world;
    if (this.key !== undefined && this.chance() < TWINS) {
      const ends = await Promise.all([
        this.#ask(this.door),
        this.#ask(otherDoor(this.world.doors, this.door)),
      ]);
      if (ends.some(({ told }) => told === "ok")) return true;
    }
    while (!stop.aborted) {
      const { told } = await this.#ask(this.door);
      if (told === "ok") return true;
      if (told === "unknown" && this.key === undefined) return false;
      await pause(this.between(...AGAIN_MS), stop);
      this.goElsewhere();
    }
    return false;
  }

  async #ask(door: Door): Promise<End> {
    const { queue, key } = this;
    const call = this.begin("issue", this.keyHash(), door);
    const end = await this.#told(async () => {
      const client = this.world.rpc.visitor(door);
      const issued = await client.issue({ queue, idempotencyKey: key ?? "" }, this.#options());
      this.#token = issued.token;
      this.#id = issued.status?.ticket?.id ?? "";
      return issued.status;
    });
    call.ended(end);
    return end;
  }

  /** Until it is admitted, or has ended. */
  async #wait(): Promise<void> {
    const { stop } = this.world;
    while (!stop.aborted && this.last?.state === "waiting") {
      const end = await (this.#watches ? this.#watch() : this.#look());
      if (end.told === "refused" && end.reason === "QUEUE_RESET") return;
      if (this.last.state !== "waiting") return;
      await pause(this.between(...LOOK_MS), stop);
      this.goAnywhere();
    }
  }

  async #look(): Promise<End> {
    const as_of = this.last?.as_of ?? 0;
    const call = this.begin("look", { as_of });
    const end = await this.#told(async () => {
      const client = this.world.rpc.visitor(this.door);
      const { status } = await client.getTicket({ token: this.#token, asOf: BigInt(as_of) }, this.#options());
      return status;
    });
    call.ended(end);
    return end;
  }

  /** Until its turn, its end, or the stream's. */
  async #watch(): Promise<End> {
    const as_of = this.last?.as_of ?? 0;
    const call = this.begin("watch", { as_of });
    const over = new AbortController();
    const signal = AbortSignal.any([this.world.stop, over.signal]);
    let silence = setTimeout(() => over.abort(), SILENCE_MS);
    const end = await this.#told(async () => {
      const request = { token: this.#token, asOf: BigInt(as_of) };
      for await (const { status } of this.world.rpc.visitor(this.door).watchPosition(request, { signal })) {
        clearTimeout(silence);
        silence = setTimeout(() => over.abort(), SILENCE_MS);
        const seen = status === undefined ? undefined : seenOf(status);
        if (seen !== undefined) call.saw(seen);
        this.saw(seen);
        if (seen?.state !== "waiting") break;
      }
      return undefined;
    });
    clearTimeout(silence);
    over.abort();
    call.ended(end);
    return end;
  }

  async #leave(): Promise<void> {
    const call = this.begin("leave");
    const end = await this.#told(async () => {
      const client = this.world.rpc.visitor(this.goAnywhere());
      return (await client.leave({ token: this.#token }, this.#options())).status;
    });
    call.ended(end);
  }

  /** A backend's word, said again until it is heard. */
  async #complete(): Promise<void> {
    const { stop } = this.world;
    while (!stop.aborted) {
      const call = this.begin("complete");
      const end = await this.#told(async () => {
        await this.world.rpc.backend(this.door).complete({ ticketId: this.#id }, this.#options());
        return undefined;
      });
      call.ended(end);
      if (end.told === "ok") return;
      await pause(this.between(...AGAIN_MS), stop);
      this.goElsewhere();
    }
  }

  async #told(call: () => Promise<Parameters<typeof seenOf>[0] | undefined>): Promise<End> {
    try {
      const status = await call();
      const seen = status === undefined ? undefined : seenOf(status);
      this.saw(seen);
      return { told: "ok", ...(seen !== undefined && { seen }) };
    } catch (error) {
      return failure(error);
    }
  }

  #options(): { signal: AbortSignal; timeoutMs: number } {
    return { signal: this.world.stop, timeoutMs: CALL_MS };
  }
}
