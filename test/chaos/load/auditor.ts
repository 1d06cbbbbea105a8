// Asks both nodes for the digest of their whole state.

import type { Call, History } from "../history/history.ts";
import type { World } from "./client.ts";
import type { Door } from "./doors.ts";
import { CALL_MS, failure } from "./rpc.ts";

export class Auditor {
  readonly #world: World;
  readonly #name: string;

  constructor(world: World, { name }: { readonly name: string }) {
    this.#world = world;
    this.#name = name;
  }

  async run(): Promise<void> {
    await Promise.all(this.#world.doors.all.map((door) => this.#ask(door)));
  }

  async #ask(door: Door): Promise<void> {
    const { history, rpc, stop } = this.#world;
    const call = this.#begin(history, door);
    try {
      const { asOf, digest } = await rpc.admin(door).getState({}, { signal: stop, timeoutMs: CALL_MS });
      call.ended({ told: "ok", stated: { as_of: Number(asOf), digest } });
    } catch (error) {
      call.ended(failure(error));
    }
  }

  #begin(history: History, { name: node }: Door): Call {
    return history.begin({ op: "state", node, queue: "", client: this.#name });
  }
}
