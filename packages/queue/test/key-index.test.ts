import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyIndex } from "../src/key-index.ts";
import { SEED } from "./sample.ts";

/** An index over hashes that are kept here, as a queue's segments keep them. */
class Kept {
  readonly hashes = new Map<number, Uint32Array>();
  readonly index = new KeyIndex({
    matches: (number, words) => words.every((word, at) => this.hashes.get(number)![at] === word),
    firstWord: (number) => this.hashes.get(number)![0]!,
  });

  add(number: number, words: Uint32Array): void {
    this.hashes.set(number, words);
    this.index.add(number);
  }

  delete(number: number): void {
    this.index.delete(number);
    this.hashes.delete(number);
  }
}

/** Few first words, so that most collide; `home` says where they want to be. */
function words(home: number, rest: number): Uint32Array {
  return Uint32Array.of(home, rest, rest >>> 3, 7);
}

describe("a key", () => {
  test("is found as in a Map, through collisions, deletions and resizing", () => {
    const operation = fc.record({
      add: fc.boolean(),
      home: fc.constantFrom(0, 1, 2 ** 26, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400, size: "max" }), (operations) => {
        const kept = new Kept();
        const expected = new Map<string, number>();
        let last = 0;
        for (const { add, home, at } of operations) {
          const there = [...expected.values()];
          if (add || there.length === 0) {
            kept.add(++last, words(home, last));
            expected.set(words(home, last).join(), last);
          } else {
            const gone = there[at % there.length]!;
            expected.delete(kept.hashes.get(gone)!.join());
            kept.delete(gone);
          }
          expect(kept.index.size).toBe(expected.size);
        }
        for (const [hash, number] of expected) {
          expect(kept.index.get(Uint32Array.from(hash.split(","), Number))).toBe(number);
        }
        expect(kept.index.get(words(0, 2 ** 31))).toBe(0);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  test("is found among a hundred thousand, and after most of them are gone", () => {
    const kept = new Kept();
    const hash = (number: number) => words(Math.imul(number, 2_654_435_761) >>> 0, number);
    for (let number = 1; number <= 100_000; number++) kept.add(number, hash(number));
    for (let number = 1; number <= 100_000; number++) if (number % 50 !== 0) kept.delete(number);
    expect(kept.index.size).toBe(2_000);
    for (let number = 1; number <= 100_000; number++) {
      expect(kept.index.get(hash(number))).toBe(number % 50 === 0 ? number : 0);
    }
  });

  test("that wraps round the end of the slots survives the deletion of one before it", () => {
    const kept = new Kept();
    // All three want the last slot: two of them stand at the beginning.
    for (const number of [1, 2, 3]) kept.add(number, words(2 ** 32 - 1, number));
    kept.delete(1);
    expect(kept.index.get(words(2 ** 32 - 1, 2))).toBe(2);
    expect(kept.index.get(words(2 ** 32 - 1, 3))).toBe(3);
    kept.delete(2);
    expect(kept.index.get(words(2 ** 32 - 1, 3))).toBe(3);
  });

  test("that is not there is not taken out", () => {
    const kept = new Kept();
    kept.add(1, words(5, 1));
    kept.hashes.set(2, words(5, 2));
    kept.delete(2);
    expect(kept.index.size).toBe(1);
    expect(kept.index.get(words(5, 1))).toBe(1);
  });
});
