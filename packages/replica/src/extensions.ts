// Sessions that are given more time because their holders are still there: one record at a time for each ticket, however
// many requests ask for it at once.

import type { Queue, TicketSession } from "@usher/queue";
import type { Appended } from "./log/appender.ts";
import type { Replica } from "./replica.ts";

export class Extensions {
  readonly #replica: Pick<Replica, "append" | "clock" | "fold">;
  /** Those on their way into the log, by queue and number. As many as appends may be under way (`PENDING_MAX`): one
   * more is refused by the log. */
  readonly #underWay = new Map<string, Promise<Appended["outcome"]>>();

  constructor(replica: Pick<Replica, "append" | "clock" | "fold">) {
    this.#replica = replica;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** What is left of a ticket's session, in ms of log time, without the grace of its slot; absent where it has none:
   * not admitted, ended, or with a stored request. */
  left_ms(queue: Queue, number: number): number | undefined {
    const session = queue.activeTicket(number)?.session;
    return session && this.#left_ms(session);
  }

  /** Begins a session anew. Whoever asks while that is on its way waits for the same record. Where a session would not
   * end later, one is written only if half of its pass is over by the clock on the wall, by which services read it: after
   * log time stood still, or sessions were made shorter, a pass may end long before its session. */
  extend(queue: Queue, number: number): Promise<Appended["outcome"]> {
    const session = queue.activeTicket(number)?.session;
    const isShorter = session !== undefined && this.#left_ms(session) >= queue.settings.session_ms;
    if (isShorter && !this.#isPassOver(session)) return Promise.resolve({ kind: "applied" });
    const name = `${queue.name}:${number}`;
    const running = this.#underWay.get(name);
    if (running !== undefined) return running;
    const extending = this.#append(queue.name, number, isShorter).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, extending);
    return extending;
  }

  #left_ms({ ends_ms }: TicketSession): number {
    return Math.max(0, ends_ms - this.#replica.fold.now_ms);
  }

  #isPassOver({ started_ms, length_ms }: TicketSession): boolean {
    return this.#replica.clock.wall_ms() - started_ms > length_ms / 2;
  }

  async #append(queue: string, number: number, passOver: boolean): Promise<Appended["outcome"]> {
    const { outcome } = await this.#replica.append({
      kind: "session_extended",
      queue,
      number,
      ...(passOver && { pass_over: true }),
    });
    return outcome;
  }
}
