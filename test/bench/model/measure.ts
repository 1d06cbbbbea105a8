// One measurement, in a process of its own, so that memory is this line's alone:
//
//   node --expose-gc test/bench/model/measure.ts <contestant> <waiting>      prints a `Measured` as JSON

import { CONTESTANTS, type ContestantName } from "./contestants.ts";
import { Filling } from "./filling.ts";
import { processorTime_us } from "./processor-time.ts";

export interface Measured {
  readonly waiting: number;
  /** Resident memory a waiting ticket. */
  readonly bytes: number;
  /** A place, in µs of processor time. */
  readonly microseconds: number;
  /** Issues folded in a second of processor time. */
  readonly issues: number;
}

/** Places are asked in so many rounds, of which the median is told, each so long, in ms. The first warms up. */
const ROUNDS = 10;
const ROUND_MS = 200;
const WARM_UP_TICKETS = 20_000;
/** How many are asked for their place, in turn. Fewer where finding them takes too long. */
const ASKED = 65_536;
const FINDING_MS = 2_000;

const collectGarbage = globalThis.gc ?? fail("run it with --expose-gc");
const make = CONTESTANTS[process.argv[2] as ContestantName] ?? fail("which contestant?");

// Code is compiled before anything is measured.
new Filling(make()).fill(WARM_UP_TICKETS);
const before = settled();
const filling = new Filling(make());
filling.fill(Number(process.argv[3]));
const { line, issuesPerSecond: issues } = filling;
const { waiting } = line;
const bytes = (settled() - before) / waiting;
const numbers = waitingNumbers();
const rounds = Array.from({ length: ROUNDS }, ask).slice(1);
const microseconds = rounds.sort((a, b) => a - b)[rounds.length >> 1]!;
const measured: Measured = { waiting, bytes, microseconds, issues };
console.log(JSON.stringify(measured));

/** Some who wait, at random. */
function waitingNumbers(): Uint32Array {
  const found: number[] = [];
  const begin = performance.now();
  while (found.length < ASKED && (found.length === 0 || performance.now() - begin < FINDING_MS)) {
    const number = filling.anyNumber();
    if ((line.position(number) ?? 0) > 0) found.push(number);
  }
  return Uint32Array.from(found);
}

/** µs a place. */
function ask(): number {
  const until = performance.now() + ROUND_MS;
  const begin = processorTime_us();
  let asked = 0;
  let sum = 0;
  while (performance.now() < until) {
    for (let n = 0; n < 64; n++) sum += line.position(numbers[asked++ % numbers.length]!) ?? 0;
  }
  if (sum < asked) fail("somebody who waits has no place");
  return (processorTime_us() - begin) / asked;
}

/** Resident memory in bytes, with nothing left to collect. */
function settled(): number {
  for (let n = 0; n < 3; n++) collectGarbage({ type: "major", execution: "sync", flavor: "last-resort" });
  return process.memoryUsage.rss();
}

function fail(why: string): never {
  throw new Error(why);
}
