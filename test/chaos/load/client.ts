// What every client has: a name, a seat at the history, chance of its own, two nodes, and a last moment.

import { pick, random } from "../../support/random.ts";
import type { Call, History } from "../history/history.ts";
import type { Began, Op, Seen } from "../history/lines.ts";
import { type Door, type Doors, otherDoor } from "./doors.ts";
import type { Rpc } from "./rpc.ts";

export interface World {
  readonly history: History;
  readonly doors: Doors;
  readonly rpc: Rpc;
  /** Aborts when clients end, as they are. */
  readonly stop: AbortSignal;
}

export class ClientOfTwo {
  readonly name: string;
  readonly queue: string;
  readonly world: World;
  readonly chance: () => number;
  /** Of the idempotency key; absent without one. */
  readonly key: string | undefined;
  #door: Door;
  /** The ticket as it was shown last. */
  last: Seen | undefined;

  constructor(world: World, options: { name: string; queue: string; seed: number; keyed: number }) {
    this.world = world;
    this.name = options.name;
    this.queue = options.queue;
    this.chance = random(options.seed);
    const hex = () =>
      pick(this.chance, 2 ** 32)
        .toString(16)
        .padStart(8, "0");
    const key = `${options.name}-${hex()}${hex()}${hex()}`;
    this.key = this.chance() < options.keyed ? key : undefined;
    this.#door = world.doors.all[pick(this.chance, world.doors.all.length)] as Door;
  }

  get door(): Door {
    return this.#door;
  }

  /** The other node, from here on. */
  goElsewhere(): Door {
    this.#door = otherDoor(this.world.doors, this.#door);
    return this.#door;
  }

  /** Either node, from here on. */
  goAnywhere(): Door {
    if (this.chance() < 0.5) this.goElsewhere();
    return this.#door;
  }

  /** Of so many milliseconds, at random. */
  between(least_ms: number, most_ms: number): number {
    return least_ms + this.chance() * (most_ms - least_ms);
  }

  saw(seen: Seen | undefined): void {
    if (seen !== undefined && seen.as_of >= (this.last?.as_of ?? 0)) this.last = seen;
  }

  /** Begins a call, at the node where it is now. */
  begin(op: Op, more: Partial<Began> = {}, door: Door = this.#door): Call {
    const { name: client, queue } = this;
    return this.world.history.begin({ op, node: door.name, queue, client, ...more });
  }

  keyHash(caller = ""): { key: string } | undefined {
    const { doors } = this.world;
    return this.key === undefined ? undefined : { key: doors.keyHash(this.queue, caller, this.key) };
  }
}
