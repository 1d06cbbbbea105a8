// Which log this is: the hash of its first record, remembered beside the spool. A topic that was deleted and made anew
// has another, or none, and would number everybody anew.

import type { KafkaMessage } from "kafkajs";
import { LogError, type Offset } from "../log.ts";
import { fingerprint } from "./fetching.ts";
import type { Spool } from "./spool/spool.ts";

export interface IdentityOptions {
  readonly topic: string;
  readonly spool: Spool;
  /** The spool's, for what an error advises. */
  readonly directory: string;
}

export class Identity {
  readonly #options: IdentityOptions;

  constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /** The topic is not there. Throws "corrupt" when it should be. */
  demandNone(): void {
    if (this.#options.spool.first) throw this.lost("it is gone");
  }

  /** Throws "corrupt" when the topic, which begins with `first`, is not the one that this node knows; remembers it
   * otherwise. */
  async demand(low: Offset, first: KafkaMessage | undefined): Promise<void> {
    const { spool } = this.#options;
    if (low > 0) throw this.lost(`it begins at offset ${low}, and what was before it is needed`);
    if (first === undefined) {
      if (spool.first) throw this.lost("it is empty, and was not");
      return;
    }
    const found = fingerprint(first);
    if (spool.first === undefined) await spool.identify(found);
    else if (!Buffer.from(spool.first).equals(found)) throw this.lost("it begins with another record");
  }

  /** Remembers it by what a follower found at the very beginning. */
  learn(first: KafkaMessage): void {
    const { spool } = this.#options;
    // Should that fail, the next opening remembers it.
    if (spool.first === undefined) spool.identify(fingerprint(first)).catch(() => {});
  }

  /** What to say when it is not the log that it was. */
  lost(what: string): LogError {
    const { topic, directory } = this.#options;
    return new LogError(
      "corrupt",
      `the topic ${topic} is not the log that it was: ${what}. This node halts, so that nobody is renumbered. If this ` +
        "was a mistake, bring the topic back from a backup. If it is meant, stop all nodes, remove the spool of each " +
        `(here: ${directory}) and start again: all tickets so far are void`,
    );
  }
}
