// What the schema is made of: zod's strict maps, lists and named maps, told to speak like the rest of the program,
// around the readers of single values.

import * as z from "zod";
import { Mistake, type Path, type Problem, shown } from "./mistake.ts";
import { kindOf, type Reader } from "./readers.ts";
import { suggestion } from "./suggestion.ts";

/** A single value, read by a reader. */
export function field<T>(read: Reader<T>) {
  return z.unknown().transform((value, context): T => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

/** A map of known fields; any other is a mistake, and the nearest known one is named. `wanted`: what to give, where
 * that is not just such a map. */
export function fields<T extends z.ZodRawShape>(shape: T, wanted?: string) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownField(key, known)).join(SEPARATOR)
        : `${kindOf(issue.input)}; give ${wanted ?? `a map of ${known.join(", ")}`}`,
  });
}

function unknownField(key: string, known: readonly string[]): string {
  if (key === "__proto__" || key === "") return "is no name of a field; take it out";
  return `is not a field here${suggestion(key, known)}; known are ${known.join(", ")}`;
}

/** zod tells of all unknown fields of a map at once, with one message: ours holds one for each, separated by this. */
const SEPARATOR = "\n";

/** A map from names of the user's choosing, such as queues. The names are checked apart, in `references.ts`. */
export function named<T extends z.ZodType>(what: string, value: T) {
  const error = (issue: { input?: unknown }): string =>
    `${kindOf(issue.input)}; give a map from names to ${what}`;
  return z.record(z.string(), value, { error }).default({});
}

/** A list. */
export function list<T extends z.ZodType>(what: string, most: number, value: T) {
  return z
    .array(value, { error: (issue) => `${kindOf(issue.input)}; give a list of ${what}` })
    .max(most, { error: `is longer than ${most}; give fewer ${what}` })
    .default([]);
}

/** zod's issues as problems, one for each thing that is wrong. */
export function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path: Path = issue.path.map((step) => (typeof step === "symbol" ? shown(String(step)) : step));
    if (issue.code !== "unrecognized_keys") return [{ path, text: issue.message }];
    const texts = issue.message.split(SEPARATOR);
    return issue.keys.map((key, at) => ({ path: [...path, key], text: texts[at] ?? issue.message }));
  });
}
