// Asks both nodes, again and again, how a queue stands.

import { ClientOfTwo, type World } from "./client.ts";
import type { Door } from "./doors.ts";
import type { QueueClient } from "./rpc.ts";
import { CALL_MS, failure } from "./rpc.ts";

export class Overseer extends ClientOfTwo {
  constructor(world: World, options: { name: string; queue: string; seed: number }) {
    super(world, { ...options, keyed: 0 });
  }

  async run(): Promise<void> {
    await Promise.all(this.world.doors.all.map((door) => this.#count(door, this.world.rpc.visitor(door))));
  }

  async #count(door: Door, client: QueueClient): Promise<void> {
    const call = this.begin("count", {}, door);
    try {
      const options = { signal: this.world.stop, timeoutMs: CALL_MS };
      const { queue, asOf } = await client.getQueue({ queue: this.queue }, options);
      const { waiting = 0, nowServing = 0, lastNumber = 0 } = queue ?? {};
      call.ended({
        told: "ok",
        counted: {
          queue: this.queue,
          waiting,
          now_serving: nowServing,
          last_number: lastNumber,
          as_of: Number(asOf),
        },
      });
    } catch (error) {
      call.ended(failure(error));
    }
  }
}
