// Fetches payloads again of which the spool has only their places in the topic. One after the other, on a connection of
// its own, so that following goes on beside it.

import { LogError, type Offset } from "../../log.ts";
import type { Connection } from "../connection.ts";
import { errorOf, faultOf, passes } from "../errors.ts";
import { fetch, type RawMessage, rangeOf } from "../fetching.ts";
import { pauseBefore } from "../pause.ts";
import { partOf } from "../records.ts";
import { joined } from "./joined.ts";
import type { Place } from "./messages.ts";

/** How many fetches' records it keeps. Each is half a MiB, or one larger batch. Requests are sent in about the order in
 * which they are in the topic, so that one fetch most often brings the next hundreds, too. */
const FETCHES_KEPT = 4;

/** What one fetch has brought: all records of a stretch of the topic. */
type Fetched = ReadonlyMap<Offset, RawMessage>;

export class Recall {
  readonly #connection: Connection;
  /** The newest last. */
  #kept: Fetched[] = [];
  /** The last that is under way, or waits; those before have ended when it has. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The payload that has all its parts at these places. Absent: the topic has lost it. Rejects with "unavailable" when
   * that cannot be told within the time for a payload, from this call on. */
  payload(places: readonly Place[]): Promise<Uint8Array | undefined> {
    const deadline_ms = performance.now() + this.#connection.timings.payload_wait_ms;
    const recalled = this.#last.then(() => this.#payload(places, deadline_ms));
    this.#last = recalled.catch(() => {});
    return recalled;
  }

  /** The topic is another. */
  forget(): void {
    this.#kept = [];
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #payload(places: readonly Place[], deadline_ms: number): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    for (const place of places) {
      const message = await this.#message(place.offset, deadline_ms);
      const part = message && partOf(message, place.offset);
      if (part === undefined || !isAt(part, place)) return undefined;
      parts.push(part.bytes);
    }
    return joined(parts);
  }

  async #message(offset: Offset, deadline_ms: number): Promise<RawMessage | undefined> {
    const { timings, topic, login } = this.#connection;
    for (let count = 1; ; count++) {
      if (this.#closed) throw new LogError("closed", "the log was closed");
      const known = this.#kept.find((fetched) => fetched.has(offset))?.get(offset);
      if (known !== undefined) return known;
      try {
        return await this.#fetch(offset);
      } catch (error) {
        if (this.#closed) continue;
        if (performance.now() > deadline_ms || !passes(error))
          throw errorOf(error, { login, operation: "Read", topic });
        this.#connection.recover(error);
        await new Promise((resolve) => setTimeout(resolve, pauseBefore(count, timings.pause_ms)));
      }
    }
  }

  async #fetch(offset: Offset): Promise<RawMessage | undefined> {
    try {
      const { messages } = await fetch(this.#connection, offset, 0);
      const fetched = new Map(messages.map((message) => [Number(message.offset), message]));
      this.#kept = [...this.#kept, fetched].slice(-FETCHES_KEPT);
      const found = fetched.get(offset);
      if (found === undefined)
        throw new LogError("unavailable", `${this.#connection.topic}: an empty answer`);
      return found;
    } catch (error) {
      if (faultOf(error).type !== "OFFSET_OUT_OF_RANGE") throw error;
      const { low } = await rangeOf(this.#connection);
      if (offset < low) return undefined;
      // A broker that has only just become the leader tells of less than it has.
      throw new LogError("unavailable", `${this.#connection.topic}: it ends before offset ${offset}`);
    }
  }
}

/** Whether it is what was seen there before: the topic may have been made anew. */
function isAt({ key, put, part }: Place, place: Place): boolean {
  const { session, sequence, attempt } = place.key;
  const same = key.session === session && key.sequence === sequence && key.attempt === attempt;
  return same && put === place.put && part === place.part;
}
