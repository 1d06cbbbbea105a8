// Requests under way, and which of them share a place in the line: those that are the same, and those of one visitor.

import type { Place } from "./place.ts";

export interface Sharer {
  /** Its key, and where it goes; absent where it has no key. */
  readonly name: string | undefined;
  /** Absent while it has none. */
  place: Place | undefined;
}

/** As many as there are requests under way. */
export class Sharers {
  readonly #all = new Set<Sharer>();

  add(sharer: Sharer): void {
    this.#all.add(sharer);
  }

  /** It is over. */
  delete(sharer: Sharer): void {
    this.#all.delete(sharer);
  }

  /** Whether another has the same place, or is about to. */
  hasOther(sharer: Sharer): boolean {
    const { name, place } = sharer;
    for (const other of this.#all) {
      if (other === sharer) continue;
      const pairs = [
        [name, other.name],
        [place?.url, other.place?.url],
        [place?.ticket, other.place?.ticket],
      ];
      if (pairs.some(([one, another]) => one !== undefined && one === another)) return true;
    }
    return false;
  }
}
