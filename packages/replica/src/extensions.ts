// Sessions that are given more time because their holders are still there: one record at a time for each ticket, however
// many requests ask for it at once.

import type { Queue } from "@usher/queue";
import type { Appended } from "./log/appender.ts";
import type { Replica } from "./replica.ts";

export class Extensions {
  readonly #replica: Pick<Replica, "append" | "fold">;
  /** Those on their way into the log, by queue and number. As many as appends may be under way (`PENDING_MAX`): one
   * more is refused by the log. */
  readonly #underWay = new Map<string, Promise<Appended["outcome"]>>();

  constructor(replica: Pick<Replica, "append" | "fold">) {
    this.#replica = replica;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** What is left of a ticket's session, in ms of log time, without the grace of its slot; absent where it has none:
   * not admitted, ended, or with a stored request. */
  left_ms(queue: Queue, number: number): number | undefined {
    const session = queue.activeTicket(number)?.session;
    return session && Math.max(0, session.ends_ms - this.#replica.fold.now_ms);
  }

  /** Begins a session anew. Whoever asks while that is on its way waits for the same record; where a session would not
   * end later, none is written. */
  extend(queue: Queue, number: number): Promise<Appended["outcome"]> {
    const left_ms = this.left_ms(queue, number);
    if (left_ms !== undefined && left_ms >= queue.settings.session_ms)
      return Promise.resolve({ kind: "applied" });
    const name = `${queue.name}:${number}`;
    const running = this.#underWay.get(name);
    if (running !== undefined) return running;
    const extending = this.#append(queue.name, number).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, extending);
    return extending;
  }

  async #append(queue: string, number: number): Promise<Appended["outcome"]> {
    const { outcome } = await this.#replica.append({ kind: "session_extended", queue, number });
    return outcome;
  }
}
