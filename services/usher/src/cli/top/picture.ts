// What the nodes say, put together: whose word counts, and how fast the queues go.

import type { Node, QueueDetails } from "@usher/protocol/admin";
import type { Sight } from "./nodes.ts";

/** Over how long the pace of admissions is measured, in milliseconds: long enough to be calm, short enough to be now. */
const PACE_MS = 5_000;

export interface PacedQueue {
  readonly details: QueueDetails;
  /** Admissions a second, measured between refreshes; absent before the second. */
  readonly pace: number | undefined;
}

export interface Picture {
  readonly sights: readonly Sight[];
  /** The node that has read furthest: time, terms and queues are as it has them. */
  readonly foremost: Node | undefined;
  readonly queues: readonly PacedQueue[];
}

interface Point {
  readonly at_ms: number;
  readonly admissions: number;
}

export class Pictures {
  /** By queue, the points of the last while; a node has 1,000 queues at most. */
  #points = new Map<string, Point[]>();

  take(sights: readonly Sight[]): Picture {
    const foremost = foremostOf(sights);
    if (foremost === undefined) return { sights, foremost: undefined, queues: [] };
    const { node, queues, at_ms } = foremost;
    const points = new Map<string, Point[]>();
    for (const { name, admissions } of queues)
      points.set(name, later(this.#points.get(name) ?? [], { at_ms, admissions: Number(admissions) }));
    this.#points = points;
    return {
      sights,
      foremost: node,
      queues: queues.map((details) => ({ details, pace: paceOf(points.get(details.name) ?? []) })),
    };
  }
}

function foremostOf(sights: readonly Sight[]): Extract<Sight, { kind: "seen" }> | undefined {
  let foremost: Extract<Sight, { kind: "seen" }> | undefined;
  for (const sight of sights) {
    if (sight.kind !== "seen") continue;
    if (foremost === undefined || asOf(sight.node) > asOf(foremost.node)) foremost = sight;
  }
  return foremost;
}

function asOf({ log }: Node): bigint {
  return log?.asOf ?? 0n;
}

/** Another node may have been asked a moment earlier: what does not rise tells nothing. */
function later(points: readonly Point[], point: Point): Point[] {
  const last = points.at(-1);
  const rises = last === undefined || (point.at_ms > last.at_ms && point.admissions >= last.admissions);
  return (rises ? [...points, point] : [...points]).filter(({ at_ms }) => point.at_ms - at_ms <= PACE_MS);
}

function paceOf(points: readonly Point[]): number | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.at_ms === first.at_ms) return undefined;
  return ((last.admissions - first.admissions) * 1_000) / (last.at_ms - first.at_ms);
}
