// A backend that lets somebody in beyond the rate now and then, and says it again under the same request id until it is
// told who.

import { ClientOfTwo, type World } from "./client.ts";
import { pause } from "./patience.ts";
import { CALL_MS, failure } from "./rpc.ts";

/** Between two tries, in milliseconds. */
const AGAIN_MS = [300, 900] as const;

/** The most that are let in at once. */
const COUNT_MAX = 2;

export class Backend extends ClientOfTwo {
  constructor(world: World, options: { name: string; queue: string; seed: number }) {
    super(world, { ...options, keyed: 0 });
  }

  async run(): Promise<void> {
    const { stop, rpc } = this.world;
    const count = 1 + Math.floor(this.chance() * COUNT_MAX);
    while (!stop.aborted) {
      const call = this.begin("admit", { request_id: this.name });
      try {
        const { numbers } = await rpc
          .backend(this.door)
          .admit(
            { queue: this.queue, requestId: this.name, who: { case: "count", value: count } },
            { signal: stop, timeoutMs: CALL_MS },
          );
        call.ended({ told: "ok", numbers });
        return;
      } catch (error) {
        call.ended(failure(error));
      }
      await pause(this.between(...AGAIN_MS), stop);
      this.goElsewhere();
    }
  }
}
