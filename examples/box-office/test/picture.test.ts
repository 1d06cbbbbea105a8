import { describe, expect, test } from "vitest";
import { judge } from "../src/burst/checker/judge.ts";
import { type History, readHistory, report } from "../src/burst/checker.ts";
import type { CrowdProgress } from "../src/burst/crowd.ts";
import { niceTicks, sample } from "../src/burst/picture/series.ts";
import { draw } from "../src/burst/picture.ts";
import { ProgressBar } from "../src/burst/progress.ts";
import { complaints, summary } from "../src/burst/summary.ts";
import { layOut } from "../src/burst/table.ts";
import { limit, render, simulate } from "./history.ts";

function history(buyers: number, killed = false): History {
  return readHistory(render(simulate(buyers, 1, killed)));
}

/** The names of all tags, as a stack machine sees them; throws where they are not nested. */
function tags(svg: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  for (const [, closing, name, rest] of svg.matchAll(/<(\/?)([a-z]+)([^>]*)>/g)) {
    if (closing === "/") expect(open.pop()).toBe(name);
    else seen.push(name!);
    if (closing !== "/" && !rest!.endsWith("/")) open.push(name!);
  }
  expect(open).toEqual([]);
  return seen;
}

describe("the picture", () => {
  const svg = draw({ direct: history(24), usher: history(24) }, limit);

  test("is one well-formed SVG without any number that is none", () => {
    expect(tags(svg)[0]).toBe("svg");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("needs nothing from elsewhere", () => {
    const links = svg.match(/(href|src|url)\s*[=(]|@import|https?:[^"]*/g);
    expect(links).toEqual(["http://www.w3.org/2000/svg"]);
  });

  test("says what it shows, to those who see it and those who do not", () => {
    expect(svg).toContain("24 buyers come at once to a shop that can serve 20 a second");
    expect(svg).toContain("Directly: 24 answered, 0 failed. Through Usher: 24 answered, 0 failed.");
    expect(svg).toContain("seconds since the first buyer came");
    expect(svg).toContain("in flight at the shop");
    expect(svg).toContain("limit 5");
    for (const entry of ["have come", "waiting", "have reached the shop", "answered", "failed"]) {
      expect(svg).toContain(`>${entry}</text>`);
    }
  });

  test("shows unknown purchases and the break where there were some, and only there", () => {
    const killed = draw({ direct: history(24), usher: history(24, true) }, limit);
    expect(killed).toContain(">unknown</text>");
    expect(killed).toContain("connections break");
    expect(svg).not.toContain("connections break");
    expect(svg).not.toContain(">unknown</text>");
  });

  test("can be drawn of nothing at all", () => {
    const empty = readHistory({ shop: [], buyers: [] });
    const blank = draw({ direct: empty, usher: empty }, limit);
    tags(blank);
    expect(blank).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("leaves out no peak, however short", () => {
    const curve = [
      { at_ms: 10, value: 1 },
      { at_ms: 11, value: 99 },
      { at_ms: 12, value: 2 },
    ];
    expect(sample(curve, 100, 6)).toEqual([0, 99, 2, 2, 2, 2]);
  });

  test.each([
    [5_000, 5, [0, 1_000, 2_000, 3_000, 4_000, 5_000]],
    [27.4, 6, [0, 5, 10, 15, 20, 25]],
    [1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  ])("has round ticks up to %d", (highest, wanted, expected) => {
    expect(niceTicks(highest, wanted).map((tick) => Number(tick.toFixed(6)))).toEqual(expected);
  });
});

describe("the table", () => {
  const good = report(history(24), limit);
  const terms = { limit, killed: false, idempotent: false };

  test("sets both runs and the promises side by side", () => {
    const table = summary({ direct: { ...good, answered: 3, failed: 21, tickets: 0 }, usher: good }, terms);
    const cells = table.split("\n").map((row) => row.trim().split(/\s{2,}/));
    expect(cells).toContainEqual(["answered", "3", "24", "24"]);
    expect(cells).toContainEqual(["failed", "21", "0", "0"]);
    expect(cells).toContainEqual(["order inversions", "–", "0", "0"]);
    expect(cells).toContainEqual(["most in flight at the shop", "5", "5", "≤ 5"]);
  });

  test("lines up, whatever the cells", () => {
    expect(layOut([["a", "long"], [], ["bc", "1"], ["d"]])).toBe("a   long\n────────\nbc     1\nd\n");
  });

  test("names each broken promise, and what is wrong with the files", () => {
    const bad = { ...good, answered: 23, lost: 1 };
    const files = {
      count: 2,
      first: [{ file: "shop", rule: "missing", message: "line 3 is missing" }],
    } as const;
    const words = complaints({ direct: { ...good, findings: files }, usher: bad }, judge(bad, terms));
    expect(words.trim().split("\n")).toEqual([
      "BROKEN: everybody is answered: 23 (promised: 24)",
      "BROKEN: nobody is lost: 1 (promised: 0)",
      "direct: 2 faults in the files, among them:",
      "  shop: missing: line 3 is missing",
    ]);
  });
});

describe("the progress", () => {
  const at = (answered: number): CrowdProgress => {
    const counts = { come: 50, ticketed: 40, answered, failed: 0, unknown: 0, lost: 0 };
    return { kind: "progress", buyers: 50, ...counts };
  };
  const show = (isTTY: boolean): string => {
    let said = "";
    const screen = {
      isTTY,
      write: (text: string) => {
        said += text;
      },
    };
    const bar = new ProgressBar("run", screen);
    for (let answered = 0; answered <= 50; answered++) bar.show(at(answered));
    bar.close();
    return said;
  };

  test("is one bar on a terminal, written over itself", () => {
    const lines = show(true).split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]!.split("\r")).toHaveLength(52);
    expect(lines[0]).toContain("50 answered");
  });

  test("is a line for each tenth elsewhere", () => {
    const lines = show(false).trim().split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[5]).toMatch(/^run {2}50 % 50 came, 25 answered, /);
  });
});
