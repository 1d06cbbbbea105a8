// What the checker finds wrong with the evidence itself.

/**
 * - `malformed`: a line that is not what it should be.
 * - `missing`: a line, or an event that must have been, is not there.
 * - `repeated`: a line, or an event that happens once, is there twice.
 * - `moved`: a line is not where its number says.
 * - `impossible`: a file contradicts itself.
 * - `contradiction`: the files contradict each other.
 */
export type Rule = "malformed" | "missing" | "repeated" | "moved" | "impossible" | "contradiction";

export interface Finding {
  readonly file: "shop" | "buyers" | "both";
  readonly rule: Rule;
  /** What is wrong, in one sentence, with the numbers to look it up by. */
  readonly message: string;
}

/** How many findings of one rule are kept to be shown, so that a flood of one hides no other; all are counted. */
const KEPT_MAX = 10;

export class Findings {
  readonly kept: Finding[] = [];
  readonly #kept = new Map<Rule, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(file: Finding["file"], rule: Rule, message: string): void {
    this.#count++;
    const before = this.#kept.get(rule) ?? 0;
    if (before >= KEPT_MAX) return;
    this.#kept.set(rule, before + 1);
    this.kept.push({ file, rule, message });
  }
}
