// Faults in the model that the log is read with: places in the shipped source, and what somebody could have written
// there.

import type { Change } from "../../support/planted.ts";
import type { CheckName } from "../checker/checker.ts";

export interface ModelFault extends Change {
  /** What the model does with it. */
  readonly does: string;
  readonly by: CheckName;
}

export const MODEL_FAULTS: readonly ModelFault[] = [
  {
    does: "skips a number",
    by: "I6",
    file: "tickets.ts",
    find: "const number = ++this.#last;",
    replace: "const number = (this.#last += this.#last === 3 ? 2 : 1);",
  },
  {
    does: "admits the last comer first",
    by: "I7",
    file: "line.ts",
    find: "const lowest = 31 - Math.clz32(bits[word]! & -bits[word]!);",
    replace: "const lowest = 31 - Math.clz32(bits[word]!);",
  },
  {
    does: "admits somebody twice",
    by: "I8",
    file: "admission.ts",
    find: 'this.#state.tell("admitted", number);',
    replace: 'this.#state.tell("admitted", number); this.#state.tell("admitted", number);',
  },
  {
    does: "has more room than it was given",
    by: "I9",
    file: "state.ts",
    find: "this.active.size < this.settings.max_active;",
    replace: "this.active.size < this.settings.max_active + 100;",
  },
  {
    does: "does not spend what it admits by",
    by: "I10",
    file: "budget.ts",
    find: "this.#millionths -= TICKET;",
    replace: "this.#millionths -= 0;",
  },
  {
    does: "frees a slot twice",
    by: "I16",
    file: "state.ts",
    find: 'this.tell("ended", number);',
    replace: 'this.tell("ended", number); this.tell("ended", number);',
  },
  {
    does: "counts every tick twice",
    by: "I18",
    file: "fold.ts",
    find: "this.#now_ms += counted_ms;",
    replace: "this.#now_ms += 2 * counted_ms;",
  },
];
