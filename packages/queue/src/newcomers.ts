// Who is given a ticket: a new one, or the one that is there already, under the same key or for the same subject.

import type { Admission } from "./admission.ts";
import { ignored, type Outcome, type RefusedReason, refused } from "./outcome.ts";
import type { Issued, Stamp } from "./record.ts";
import { DIGEST_WORDS, KEY_WORDS } from "./segment.ts";
import type { Settings } from "./settings.ts";
import type { QueueState } from "./state.ts";
import { hashWords, isHash, NUMBER_MAX, type Tickets } from "./tickets.ts";

const NO_BYTES = new Uint8Array();

export class Newcomers {
  readonly #state: QueueState;
  readonly #admission: Admission;

  constructor(state: QueueState, admission: Admission) {
    this.#state = state;
    this.#admission = admission;
  }

  get #tickets(): Tickets {
    return this.#state.tickets;
  }

  get #settings(): Settings {
    return this.#state.settings;
  }

  /** The remembered ticket under a key, and whether the digest is the one that it came with. */
  byKey(key: Uint8Array, digest: Uint8Array | undefined): { number: number; same: boolean } | undefined {
    const words = hashWords(key, KEY_WORDS);
    const number = this.#tickets.byKey(words);
    return number === 0 ? undefined : { number, same: this.#sameRequest(words, digest) };
  }

  /** The live ticket of a subject. */
  bySubject(subject: Uint8Array): number | undefined {
    return this.#tickets.bySubject(hashWords(subject, KEY_WORDS)) || undefined;
  }

  /** Why no newcomer is taken now; absent when one is. */
  get refusal(): RefusedReason | undefined {
    if (this.#settings.mode === "closed") return "closed";
    return this.#isFull || this.#tickets.last === NUMBER_MAX ? "full" : undefined;
  }

  /** Why somebody with this key and this subject is given no ticket now; absent when they are given one, or have it. */
  refusalOf(key: Uint8Array | undefined, subject: Uint8Array | undefined): RefusedReason | undefined {
    if (key !== undefined && this.#tickets.byKey(hashWords(key, KEY_WORDS)) !== 0) return undefined;
    const live = subject === undefined ? undefined : this.bySubject(subject);
    if (live === undefined) return this.refusal;
    return key === undefined || this.#mayAlias(live) ? undefined : "full";
  }

  issue(event: Issued, stamp: Stamp): Outcome {
    if (
      !isHash(event.key, KEY_WORDS) ||
      !isHash(event.subject, KEY_WORDS) ||
      !isHash(event.digest, DIGEST_WORDS)
    ) {
      return ignored("impossible");
    }
    const key = event.key && hashWords(event.key, KEY_WORDS);
    const subject =
      event.subject && this.#settings.kind === "pass" ? hashWords(event.subject, KEY_WORDS) : undefined;
    const known = this.#known(event, key, subject);
    if (known !== undefined) return known;
    if (this.refusal !== undefined) return refused(this.refusal);
    if (this.#tickets.waiting === 0) this.#admission.beginToWait();
    const number = this.#tickets.add({
      key,
      subject,
      digest: event.digest && hashWords(event.digest, DIGEST_WORDS),
      stored_request: event.stored_request,
      issued_ms: this.#state.waited_ms,
      issuedWall_ms: stamp.wall_ms,
      session: stamp.session,
      sequence: stamp.sequence,
    });
    return { kind: "issued", number, existing: false };
  }

  /** The ticket that is there already under the same key, or for the same subject. */
  #known(event: Issued, key: Uint32Array | undefined, subject: Uint32Array | undefined): Outcome | undefined {
    const byKey = key === undefined ? 0 : this.#tickets.byKey(key);
    if (key !== undefined && byKey !== 0) {
      if (!this.#sameRequest(key, event.digest)) return refused("key_reused");
      return { kind: "issued", number: byKey, existing: true };
    }
    const bySubject = subject === undefined ? 0 : this.#tickets.bySubject(subject);
    if (bySubject === 0) return undefined;
    // Or a retry under this key would be another ticket, once the subject's has ended.
    if (key !== undefined && event.adopt_key) {
      if (!this.#mayAlias(bySubject)) return refused("full");
      this.#tickets.addAlias(bySubject, key, hashWords(event.digest ?? NO_BYTES, DIGEST_WORDS));
    }
    return { kind: "issued", number: bySubject, existing: true };
  }

  #sameRequest(key: Uint32Array, digest: Uint8Array | undefined): boolean {
    return this.#tickets.sameRequest(key, hashWords(digest ?? NO_BYTES, DIGEST_WORDS));
  }

  /** As many as may be are remembered: each ticket that waits or has ended, and each further key. */
  get #isFull(): boolean {
    const { waiting, aliases } = this.#tickets;
    return waiting + this.#state.remembered + aliases >= this.#settings.max_waiting;
  }

  #mayAlias(number: number): boolean {
    return !this.#isFull && this.#tickets.hasRoomForAlias(number);
  }
}
