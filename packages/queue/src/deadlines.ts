// Deadlines in log time, earliest first: a binary heap. An entry is not taken out when its ticket ends sooner; it
// comes up at its time and is found stale by whoever reads it. Where stale ones heap up, `prune` drops them.

export interface Deadline {
  readonly at_ms: number;
  /** The ticket. */
  readonly number: number;
  /** What is due: the meaning is the owner's. */
  readonly due: "session" | "lapse";
  /** The attempt that a lapse belongs to; of a session, how often it had been extended. */
  readonly attempt: number;
}

export class Deadlines {
  #heap: Deadline[] = [];

  get size(): number {
    return this.#heap.length;
  }

  push(deadline: Deadline): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(deadline);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(deadline, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = deadline;
  }

  /** Takes the earliest that is due, if any. */
  pop(now_ms: number): Deadline | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at_ms > now_ms) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  /** Keeps only what is still awaited. */
  prune(awaited: (deadline: Deadline) => boolean): void {
    // A sorted array is a heap.
    this.#heap = this.sorted(awaited);
  }

  /** What is still awaited, the earliest first. */
  sorted(awaited: (deadline: Deadline) => boolean): Deadline[] {
    return this.#heap.filter(awaited).sort((a, b) => (before(a, b) ? -1 : 1));
  }

  #sink(entry: Deadline): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }
}

/** Equal times go by number, so that every replica takes them in the same order. */
function before(a: Deadline, b: Deadline): boolean {
  return a.at_ms !== b.at_ms ? a.at_ms < b.at_ms : a.number < b.number;
}
