// The request ids of Admit that are remembered, with whom each admitted: so that a retry admits nobody twice.

import type { AdmitWho } from "./record.ts";

/** How many are remembered at most; beyond it, Admit is refused until some are forgotten. */
export const ADMIT_REQUESTS_MAX = 10_000;

/** An id: 16 bytes in hexadecimal. */
export const REQUEST_ID_LENGTH = 32;

export interface AdmitRequest {
  readonly who: AdmitWho;
  /** In the order of admission. Together no more than the tickets that were admitted. */
  readonly numbers: readonly number[];
  /** When it came, in ms of log time. */
  readonly at_ms: number;
}

export class AdmitRequests {
  readonly #byId = new Map<string, AdmitRequest>();

  get size(): number {
    return this.#byId.size;
  }

  get full(): boolean {
    return this.size >= ADMIT_REQUESTS_MAX;
  }

  get(id: string): AdmitRequest | undefined {
    return this.#byId.get(id);
  }

  add(id: string, request: AdmitRequest): void {
    this.#byId.set(id, request);
  }

  /** In the order in which they came. */
  entries(): Iterable<[string, AdmitRequest]> {
    return this.#byId.entries();
  }

  /** Forgets those that came no later than this. A Map keeps their order. */
  forget(by_ms: number): void {
    for (const [id, request] of this.#byId) {
      if (request.at_ms > by_ms) return;
      this.#byId.delete(id);
    }
  }

  static same(one: AdmitWho, other: AdmitWho): boolean {
    if ("count" in one) return "count" in other && one.count === other.count;
    return "number" in other && one.number === other.number;
  }
}
