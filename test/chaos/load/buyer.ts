// Sends a request by HTTP, and follows its ticket to the end: asks either node, saying what it has seen already. Under
// a key it tries again, on the other node, until it knows what became of it; without one it tries again only what was
// refused.

import { ClientOfTwo, type World } from "./client.ts";
import { type Door, otherDoor } from "./doors.ts";
import { type End, type Reply, send } from "./http.ts";
import { pause } from "./patience.ts";
import type { Mood, Wish } from "./service.ts";

/** One of so many buyers has an idempotency key. */
const KEYED = 0.8;
/** Of those with a key: sends it to both nodes at once. */
const TWINS = 0.1;
/** Asks for something that the service may be asked for twice. */
const IDEMPOTENT = 0.2;
/** Gives up its ticket after a while. */
const LEAVES = 0.05;
/** Lets Usher hold the line for a second, instead of being sent away at once. */
const HOLDS = 0.3;

const MOODS: readonly (readonly [Mood, number])[] = [
  ["busy", 0.06],
  ["slow", 0.06],
  ["cut", 0.02],
  ["hangs", 0.01],
];

/** Between two tries of the same request, in milliseconds. */
const AGAIN_MS = [300, 900] as const;
/** Between two looks at the ticket, in milliseconds. */
const POLL_MS = [800, 2_500] as const;

export class Buyer extends ClientOfTwo {
  readonly #method: "POST" | "PUT";
  readonly #wish: Omit<Wish, "wish">;
  readonly #leaves: boolean;
  #tries = 0;
  #location: string | undefined;

  constructor(world: World, options: { name: string; queue: string; seed: number }) {
    super(world, { ...options, keyed: KEYED });
    this.#method = options.queue === "orders" && this.chance() < IDEMPOTENT ? "PUT" : "POST";
    this.#wish = { mood: this.#mood(), work_ms: this.between(10, 120) };
    this.#leaves = this.chance() < LEAVES;
  }

  async run(): Promise<void> {
    if (!(await this.#ask())) return;
    if (this.#leaves) {
      await pause(this.between(100, 3_000), this.world.stop);
      await this.#leave();
    }
    await this.#follow();
  }

  #mood(): Mood {
    let left = this.chance();
    for (const [mood, part] of MOODS) {
      if (left < part) return mood;
      left -= part;
    }
    return "quick";
  }

  /** Whether it has a ticket to follow. */
  async #ask(): Promise<boolean> {
    const { stop } = this.world;
    if (this.key !== undefined && this.chance() < TWINS) {
      const twin = otherDoor(this.world.doors, this.door);
      const replies = await Promise.all([this.#request(this.door), this.#request(twin)]);
      const [settled] = replies.filter(({ end }) => end.told === "ok");
      if (settled !== undefined) return this.#took(settled);
    }
    while (!stop.aborted) {
      const reply = await this.#request(this.door);
      if (reply.end.told === "ok") return this.#took(reply);
      if (reply.end.told === "unknown" && this.key === undefined) return false;
      await pause(this.between(...AGAIN_MS), stop);
      this.goElsewhere();
    }
    return false;
  }

  async #request(door: Door): Promise<Reply> {
    // Without a key it asks for another thing each time: the service could not tell the two apart.
    const wish = this.key === undefined ? `${this.name}.${++this.#tries}` : this.name;
    const call = this.begin("request", { ...this.keyHash(), wish }, door);
    const reply = await send(
      {
        method: this.#method,
        url: `${door.gatewayUrl}/${this.queue}`,
        headers: {
          prefer: `wait=${this.chance() < HOLDS ? 1 : 0}`,
          ...(this.key !== undefined && { "idempotency-key": this.key }),
        },
        body: JSON.stringify({ wish, ...this.#wish } satisfies Wish),
      },
      this.world.stop,
    );
    call.ended(reply.end);
    return reply;
  }

  #took({ end, location }: Reply): boolean {
    this.saw(end.seen);
    this.#location = location;
    return end.seen !== undefined && location !== undefined;
  }

  async #follow(): Promise<void> {
    const { stop } = this.world;
    while (!stop.aborted) {
      await pause(this.between(...POLL_MS), stop);
      this.goAnywhere();
      const { end, location } = await this.#get("poll", this.#location ?? "");
      this.saw(end.seen);
      if (end.told === "ok" && location !== undefined) return this.#collect(location);
      if (end.told === "ok" && end.end !== undefined) return;
      if (end.told === "refused" && end.reason !== "ECONNREFUSED" && !isPassing(end)) return;
    }
  }

  async #collect(location: string): Promise<void> {
    const { stop } = this.world;
    while (!stop.aborted) {
      const { end } = await this.#get("collect", location);
      if (end.told === "ok") return;
      await pause(this.between(...AGAIN_MS), stop);
      this.goElsewhere();
    }
  }

  async #leave(): Promise<void> {
    const call = this.begin("leave");
    const url = `${this.door.gatewayUrl}${this.#location}`;
    const { end } = await send({ method: "DELETE", url }, this.world.stop);
    call.ended(end);
    this.saw(end.seen);
  }

  async #get(op: "poll" | "collect", path: string): Promise<Reply> {
    const as_of = this.last?.as_of ?? 0;
    const call = this.begin(op, { as_of });
    const url = `${this.door.gatewayUrl}${path}?as_of=${as_of}`;
    const reply = await send({ method: "GET", url }, this.world.stop);
    const number = this.last?.number;
    const end: End = { ...(number !== undefined && { number }), ...reply.end };
    call.ended(end);
    return { ...reply, end };
  }
}

/** What another try may overcome. */
function isPassing({ reason }: End): boolean {
  return (
    reason === "behind" || reason === "not_ready" || reason === "overloaded" || reason === "not_answered"
  );
}
