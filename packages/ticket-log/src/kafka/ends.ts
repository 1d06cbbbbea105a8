// Asks where a topic ends. Callers at the same time share one question, which is sent after the last of them came.

import { LogError, type Offset } from "../log.ts";
import type { Connection } from "./connection.ts";
import { errorOf, passes } from "./errors.ts";
import { offsetOf } from "./fetching.ts";
import { pauseBefore } from "./pause.ts";

export class Ends {
  readonly #connection: Connection;
  #asking: Promise<Offset> | undefined;
  /** The one that goes after it. */
  #following: Promise<Offset> | undefined;
  #closed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The offset that follows the last record that was there when this was called, or one after it. Rejects with a
   * `LogError` when there is no answer within the time for a request. */
  ask(): Promise<Offset> {
    if (this.#asking === undefined) {
      this.#asking = this.#ask().finally(() => (this.#asking = undefined));
      return this.#asking;
    }
    // What is under way may have been answered already, before something was written.
    this.#following ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#following = undefined;
        return this.ask();
      });
    return this.#following;
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #ask(): Promise<Offset> {
    const { timings, topic, login } = this.#connection;
    const deadline_ms = performance.now() + timings.request_ms;
    for (let count = 1; ; count++) {
      try {
        return await this.#connection.within(timings.request_ms, offsetOf(this.#connection, false));
      } catch (error) {
        if (this.#closed) throw new LogError("closed", "the log was closed");
        if (performance.now() > deadline_ms || !passes(error))
          throw errorOf(error, { login, operation: "Describe", topic });
        this.#connection.recover(error);
        await new Promise((resolve) => setTimeout(resolve, pauseBefore(count, timings.pause_ms)));
      }
    }
  }
}
