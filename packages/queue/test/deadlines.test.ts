import fc from "fast-check";
import { expect, test } from "vitest";
import { type Deadline, Deadlines } from "../src/deadlines.ts";
import { SEED } from "./sample.ts";

const entry = fc.record({ at_ms: fc.nat(50), number: fc.nat(20) });

function deadline({ at_ms, number }: { at_ms: number; number: number }): Deadline {
  return { at_ms, number, due: "session", attempt: 0 };
}

function drain(deadlines: Deadlines, now_ms: number): Deadline[] {
  const due: Deadline[] = [];
  for (let next = deadlines.pop(now_ms); next; next = deadlines.pop(now_ms)) due.push(next);
  return due;
}

function sorted(entries: readonly Deadline[]): Deadline[] {
  return entries.toSorted((a, b) => a.at_ms - b.at_ms || a.number - b.number);
}

test("deadlines come up by time, then by number, and none before its time", () => {
  fc.assert(
    fc.property(fc.array(entry), fc.nat(50), (entries, now_ms) => {
      const deadlines = new Deadlines();
      const all = entries.map(deadline);
      for (const one of all) deadlines.push(one);
      expect(drain(deadlines, now_ms)).toEqual(sorted(all.filter(({ at_ms }) => at_ms <= now_ms)));
      expect(drain(deadlines, 50)).toEqual(sorted(all.filter(({ at_ms }) => at_ms > now_ms)));
    }),
    { seed: SEED },
  );
});

test("pruning keeps what is awaited, and its order", () => {
  fc.assert(
    fc.property(fc.array(entry), fc.array(entry), (before, after) => {
      const deadlines = new Deadlines();
      const first = before.map(deadline);
      for (const one of first) deadlines.push(one);
      deadlines.prune(({ number }) => number % 2 === 0);
      const second = after.map(deadline);
      for (const one of second) deadlines.push(one);
      const kept = first.filter(({ number }) => number % 2 === 0);
      expect(drain(deadlines, 50)).toEqual(sorted([...kept, ...second]));
    }),
    { seed: SEED },
  );
});
