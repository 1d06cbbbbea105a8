// Where two logs are not the same, in words: both are gone through side by side, so that neither has to be held whole.

import { type DescribedLog, PART_KINDS, type Part, type Value } from "./description.ts";

/** How much of a text or a list is shown, in characters. */
const SHOWN_MAX = 80;

/** How many differences are named where nothing is said: what comes after them mostly follows from them. */
export const DIFFERENCES_DEFAULT = 10;

/** Names the first differences, one part a line, as `queue orders: ticket 57: state waiting / admitted`: what `one` tells,
 * then the other. None: they are the same. */
export function differences(
  one: DescribedLog,
  other: DescribedLog,
  most: number = DIFFERENCES_DEFAULT,
): string[] {
  const found: string[] = [];
  for (const difference of allDifferences(one, other)) {
    if (found.push(difference) >= most) break;
  }
  return found;
}

function* allDifferences(one: DescribedLog, other: DescribedLog): Iterable<string> {
  yield* inParts("", one.describe(), other.describe());
  const others = new Map([...other.queues()].map((queue) => [queue.name, queue]));
  for (const queue of one.queues()) {
    const twin = others.get(queue.name);
    // One that is not on both sides has been named among the log's parts.
    if (twin !== undefined) yield* inParts(`queue ${queue.name}: `, queue.describe(), twin.describe());
  }
}

function* inParts(where: string, one: Iterable<Part>, other: Iterable<Part>): Iterable<string> {
  const left = new Walk(one);
  const right = new Walk(other);
  for (;;) {
    const order = compare(left.part, right.part);
    if (left.part !== undefined && order < 0) {
      yield `${where}${named(left.part)}: there / not there`;
      left.next();
    } else if (right.part !== undefined && order > 0) {
      yield `${where}${named(right.part)}: not there / there`;
      right.next();
    } else if (left.part === undefined || right.part === undefined) {
      return;
    } else if (left.part.id !== right.part.id) {
      const { kind, id } = left.part;
      yield `${where}${kind}: ${id} / ${right.part.id} in the same place`;
      // All that follow of them are in another place.
      left.skip(kind);
      right.skip(kind);
    } else {
      const fields = inFields(left.part, right.part);
      if (fields !== "") yield `${where}${named(left.part)}: ${fields}`;
      left.next();
      right.next();
    }
  }
}

function named({ kind, id }: Part): string {
  return id === "" ? kind : `${kind} ${id}`;
}

/** Below 0 where the one is told first, above 0 where the other is; 0: they are of the same place, or there is none. */
function compare(one: Part | undefined, other: Part | undefined): number {
  if (one === other) return 0;
  if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
  const order = PART_KINDS.indexOf(one.kind) - PART_KINDS.indexOf(other.kind);
  if (order !== 0 || one.kind !== "ticket") return order;
  return Number(one.id) - Number(other.id);
}

function inFields(one: Part, other: Part): string {
  return Object.keys({ ...one.fields, ...other.fields })
    .filter((name) => !isSame(one.fields[name], other.fields[name]))
    .map((name) => `${name} ${shown(one.fields[name])} / ${shown(other.fields[name])}`)
    .join(", ");
}

function isSame(one: Value, other: Value): boolean {
  if (typeof one !== "object" || typeof other !== "object") return one === other;
  return one.length === other.length && one.every((value, at) => value === other[at]);
}

function shown(value: Value): string {
  const text = value === undefined ? "none" : typeof value === "object" ? `[${value}]` : `${value}`;
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** Parts, one at a time. */
class Walk {
  readonly #parts: Iterator<Part>;
  /** Absent after the last. */
  part: Part | undefined;

  constructor(parts: Iterable<Part>) {
    this.#parts = parts[Symbol.iterator]();
    this.next();
  }

  next(): void {
    const { done, value } = this.#parts.next();
    this.part = done ? undefined : value;
  }

  /** Goes past all that are left of a kind. */
  skip(kind: string): void {
    while (this.part?.kind === kind) this.next();
  }
}
