// The numbers among the options. One that makes no sense would mean no attempt, or no bound, so it is said at once.

import { UsherError } from "../errors.ts";

/** The value of an option, which is at least 1; throws `misused` where it is not. `what`: what it counts. */
export function amount(option: string, value: number, what: string): number {
  if (typeof value === "number" && value >= 1) return value;
  throw new UsherError("misused", `${option} is ${String(value)}; it takes a number of ${what}, from 1 up`);
}
