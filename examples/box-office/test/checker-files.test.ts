// Whatever happens to the files themselves, the checker sees it.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge } from "../src/burst/checker/judge.ts";
import { check, type Evidence } from "../src/burst/checker.ts";
import { limit, render, simulate } from "./history.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const files = fc.constantFrom("shop" as const, "buyers" as const);
/** Where in a file, as a part of its length. */
const part = fc.nat({ max: 99_999 }).map((nat) => nat / 100_000);

function evidenceOf(seed: number, killed: boolean): Evidence {
  return render(simulate(24, seed, killed));
}

/** The evidence with one of its files changed. */
function change(evidence: Evidence, file: "shop" | "buyers", by: (lines: string[]) => string[]): Evidence {
  return { ...evidence, [file]: by([...evidence[file]]) };
}

const rulesOf = (evidence: Evidence): string[] =>
  check(evidence, limit).findings.first.map(({ rule }) => rule);

describe("the files", () => {
  test("of a burst that went well prove it, and keep every promise", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), (seed, buyers) => {
        const report = check(render(simulate(buyers, seed)), limit);
        expect(report.findings.first).toEqual([]);
        expect(report).toMatchObject({ buyers, answered: buyers, arrivals: buyers, seatsSold: buyers });
        expect(report.tickets).toBe(Math.max(0, buyers - 4));
        expect(judge(report, { limit, killed: false, idempotent: false })).toEqual([]);
      }),
    );
  });

  test("of a burst with a kill in its middle prove it, and keep the promises for that", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const report = check(evidenceOf(seed, true), limit);
        expect(report.findings.first).toEqual([]);
        expect(report.unknown).toBeGreaterThan(0);
        expect(report.answered + report.unknown).toBe(24);
        expect(judge(report, { limit, killed: true, idempotent: false })).toEqual([]);
        expect(judge(report, { limit, killed: false, idempotent: false })).not.toEqual([]);
      }),
    );
  });

  test("show when any one line was removed", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), files, part, (seed, killed, file, at) => {
        const cut = (lines: string[]) => lines.toSpliced(Math.floor(at * lines.length), 1);
        expect(rulesOf(change(evidenceOf(seed, killed), file, cut))).toContain("missing");
      }),
      { numRuns: 300 },
    );
  });

  test("show when any one line was repeated, wherever it was put", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), files, part, part, (seed, killed, file, from, to) => {
        const repeat = (lines: string[]) =>
          lines.toSpliced(Math.floor(to * lines.length), 0, lines[Math.floor(from * lines.length)]!);
        expect(rulesOf(change(evidenceOf(seed, killed), file, repeat))).toContain("repeated");
      }),
      { numRuns: 300 },
    );
  });

  test("show when any two lines changed places, and count the same all the same", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), files, part, part, (seed, killed, file, one, other) => {
        const evidence = evidenceOf(seed, killed);
        const first = Math.floor(one * evidence[file].length);
        const second = Math.floor(other * evidence[file].length);
        fc.pre(first !== second);
        const swap = (lines: string[]) => lines.with(first, lines[second]!).with(second, lines[first]!);
        const { findings, ...counts } = check(change(evidence, file, swap), limit);
        expect(findings.first.every(({ rule }) => rule === "moved")).toBe(true);
        expect(findings.count).toBeGreaterThan(0);
        expect(check(evidence, limit)).toMatchObject(counts);
      }),
      { numRuns: 300 },
    );
  });

  test("show when they were torn off anywhere", () => {
    fc.assert(
      fc.property(seeds, files, part, (seed, file, at) => {
        const tear = (lines: string[]) => {
          const text = lines.join("\n");
          return text.slice(0, Math.floor(at * text.length)).split("\n");
        };
        expect(check(change(evidenceOf(seed, false), file, tear), limit).findings.count).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  test("show when any one field of any line was taken away or made something else", () => {
    fc.assert(
      fc.property(
        seeds,
        files,
        part,
        part,
        fc.constantFrom(undefined, true, { a: 1 }),
        (seed, file, at, which, value) => {
          const spoil = (lines: string[]) => {
            const index = Math.floor(at * lines.length);
            const line: Record<string, unknown> = JSON.parse(lines[index]!);
            const names = Object.keys(line).filter((name) => !(name === "options" || name === "replay"));
            line[names[Math.floor(which * names.length)]!] = value;
            return lines.with(index, JSON.stringify(line));
          };
          expect(rulesOf(change(evidenceOf(seed, false), file, spoil))).toContain("malformed");
        },
      ),
      { numRuns: 300 },
    );
  });

  test("that are empty prove nothing", () => {
    const report = check({ shop: [], buyers: [] }, limit);
    expect(report.findings.count).toBeGreaterThan(0);
    expect(judge(report, { limit, killed: false, idempotent: false })).not.toEqual([]);
  });

  test("that ran out of room say so", () => {
    const evidence = change(evidenceOf(1, false), "shop", (lines) =>
      lines.with(-1, lines.at(-1)!.replace('"dropped":0', '"dropped":3')),
    );
    expect(check(evidence, limit).findings.first).toEqual([
      { file: "shop", rule: "missing", message: "3 lines found no room in the file" },
    ]);
  });
});
