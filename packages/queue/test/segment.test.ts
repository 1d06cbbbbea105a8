import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Afterwards, AfterwardsRows, NOTHING } from "../src/afterwards.ts";
import { SEGMENT_TICKETS, Segment } from "../src/segment.ts";
import { SEED } from "./sample.ts";

const WALL_MS = 1_790_000_000_000;
const SLOTS = [0, 1, 31, 32, SEGMENT_TICKETS - 2, SEGMENT_TICKETS - 1];

describe("a segment", () => {
  test("keeps what its first and last tickets came with apart", () => {
    const segment = new Segment();
    for (const slot of SLOTS) {
      segment.setKey(slot, Uint32Array.of(slot, 2, 3, slot), Uint32Array.of(slot, 5));
      segment.setSubject(slot, Uint32Array.of(slot, 7, 8, slot));
      segment.setWriter(slot, BigInt(slot % 2), slot + 10);
      segment.setIssuedWall(slot, WALL_MS + slot);
      segment.used++;
    }
    for (const slot of SLOTS) {
      expect([...segment.key!.subarray(slot * 4, slot * 4 + 4)]).toEqual([slot, 2, 3, slot]);
      expect([...segment.digest!.subarray(slot * 2, slot * 2 + 2)]).toEqual([slot, 5]);
      expect([...segment.subject!.subarray(slot * 4, slot * 4 + 4)]).toEqual([slot, 7, 8, slot]);
      expect(segment.writers[segment.writer[slot]!]).toBe(BigInt(slot % 2));
      expect(segment.sequence[slot]).toBe(slot + 10);
      expect(segment.issuedWall_ms(slot)).toBe(WALL_MS + slot);
    }
    expect(segment.writers).toHaveLength(2);
  });

  test("shows a wall clock that leaps by years as 24 days off, in either direction", () => {
    const segment = new Segment();
    segment.setIssuedWall(0, WALL_MS);
    segment.used++;
    segment.setIssuedWall(1, WALL_MS * 2);
    segment.setIssuedWall(2, 0);
    expect(segment.issuedWall_ms(1)).toBe(WALL_MS + 2 ** 31 - 1);
    expect(segment.issuedWall_ms(2)).toBe(WALL_MS - 2 ** 31 + 1);
  });
});

describe("what is known after waiting", () => {
  test("is nothing before, and then what was set last, whoever gets there in whatever order", () => {
    const values = fc.record<Partial<Afterwards>>(
      {
        admittedWall_ms: fc.nat(WALL_MS),
        endedWall_ms: fc.nat(WALL_MS),
        admission: fc.nat(2 ** 32 - 1),
        status: fc.integer({ min: 100, max: 999 }),
        attempt: fc.nat(100),
      },
      { requiredKeys: [] },
    );
    const change = fc.record({ slot: fc.nat(SEGMENT_TICKETS - 1), values });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600, size: "max" }), (changes) => {
        const rows = new AfterwardsRows(SEGMENT_TICKETS);
        const expected = new Map<number, Afterwards>();
        for (const { slot, values } of changes) {
          rows.set(slot, values);
          expected.set(slot, { ...(expected.get(slot) ?? NOTHING), ...values });
        }
        for (let slot = 0; slot < SEGMENT_TICKETS; slot++) {
          expect(rows.get(slot)).toEqual(expected.get(slot) ?? NOTHING);
        }
      }),
      { seed: SEED, numRuns: 30 },
    );
  });
});
