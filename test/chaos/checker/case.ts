// What the checks read: the histories put together by call, by ticket and by arrival, and the log as two readers have
// it.

import type {
  Answered,
  Arrived,
  Began,
  Counted,
  Ended,
  HistoryLine,
  Noted,
  Saw,
  Seen,
  ServiceLine,
  Stated,
} from "../history/lines.ts";
import type { LogEntry } from "../log/entry.ts";
import { type FoldClass, type Folded, foldLog } from "./folded.ts";
import { NaiveLog } from "./naive.ts";

/** Of one run: all that it left. */
export interface Evidence {
  readonly history: readonly HistoryLine[];
  readonly service: readonly ServiceLine[];
  /** The whole log, read at the end. */
  readonly log: readonly LogEntry[];
  /** What was in it when it was read before, each time from the first entry on. */
  readonly earlier: readonly (readonly LogEntry[])[];
}

export interface Call {
  readonly began: Began;
  readonly saw: readonly Saw[];
  /** Absent: it was under way when the run ended. */
  readonly ended: Ended | undefined;
}

/** A ticket as it was shown in some call. */
export interface Sighting {
  readonly call: Call;
  readonly at_ms: number;
  readonly seen: Seen;
}

export interface Arrival {
  readonly arrived: Arrived;
  readonly answered: Answered | undefined;
}

export interface Case {
  readonly evidence: Evidence;
  readonly calls: readonly Call[];
  readonly notes: readonly Noted[];
  /** In the order of the history. */
  readonly sightings: readonly Sighting[];
  readonly arrivals: readonly Arrival[];
  readonly folded: Folded;
  readonly naive: NaiveLog;
}

export function caseOf(evidence: Evidence, FoldToUse?: FoldClass): Case {
  const calls = callsOf(evidence.history);
  const sightings = sightingsOf(evidence.history, calls);
  return {
    evidence,
    calls: [...calls.values()],
    notes: evidence.history.filter((line) => line.kind === "noted"),
    sightings,
    arrivals: arrivalsOf(evidence.service),
    folded: foldLog(
      evidence.log,
      { seen: sightings.map(({ seen }) => seen), ...shownIn(evidence.history) },
      FoldToUse,
    ),
    naive: new NaiveLog(evidence.log),
  };
}

function callsOf(history: readonly HistoryLine[]): Map<number, Call> {
  const saw = Map.groupBy(
    history.filter((line) => line.kind === "saw"),
    ({ call }) => call,
  );
  const ended = new Map(
    history.filter((line) => line.kind === "ended").map((line) => [line.call, line] as const),
  );
  const calls = new Map<number, Call>();
  for (const began of history) {
    if (began.kind !== "began") continue;
    const { call } = began;
    calls.set(call, { began, saw: saw.get(call) ?? [], ended: ended.get(call) });
  }
  return calls;
}

function sightingsOf(history: readonly HistoryLine[], calls: ReadonlyMap<number, Call>): Sighting[] {
  return history.flatMap((line) => {
    if (line.kind !== "saw" && line.kind !== "ended") return [];
    const call = calls.get(line.call);
    return call === undefined || line.seen === undefined
      ? []
      : [{ call, at_ms: line.at_ms, seen: line.seen }];
  });
}

/** What nodes showed of queues, and of themselves. */
function shownIn(history: readonly HistoryLine[]): { counted: Counted[]; stated: Stated[] } {
  const ended = history.filter((line) => line.kind === "ended");
  return {
    counted: ended.flatMap(({ counted = [] }) => counted),
    stated: ended.flatMap(({ stated = [] }) => stated),
  };
}

function arrivalsOf(service: readonly ServiceLine[]): Arrival[] {
  const answered = new Map(
    service.filter((line) => line.kind === "answered").map((line) => [line.arrival, line] as const),
  );
  return service
    .filter((line) => line.kind === "arrived")
    .map((arrived) => ({ arrived, answered: answered.get(arrived.arrival) }));
}

/** How a ticket is named in what the checker says. */
export function nameOf({ queue, number }: { readonly queue: string; readonly number: number }): string {
  return `${queue}/${number}`;
}
