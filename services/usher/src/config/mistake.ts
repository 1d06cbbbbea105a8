// What is wrong with a configuration, in words for the person who wrote it.

import { Failure } from "../failure.ts";

/** Where in the file something is: `["queues", "orders", "limit"]`. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with one value: what it is, and what would do. */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

/** A mistake in its place. */
export interface Problem {
  readonly path: Path;
  /** Counted from 1; absent where no line is to blame. */
  readonly line?: number;
  readonly text: string;
}

/** More than this many problems are counted, not shown: whoever sees fifty mends those first. */
const SHOWN_MAX = 50;

/** All that is wrong with a configuration; its message names every problem, several on a line each. */
export class ConfigError extends Failure {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(source: string, problems: readonly Problem[]) {
    super(describeAll(source, problems));
    this.problems = problems;
  }
}

function describeAll(source: string, problems: readonly Problem[]): string {
  const lines = problems.slice(0, SHOWN_MAX).map(describe);
  const [only, ...more] = problems;
  // Without a field, the line is the file's: `usher.yaml (line 4): …`.
  if (only !== undefined && more.length === 0)
    return `${source}${only.path.length === 0 && only.line !== undefined ? " " : ": "}${describe(only)}`;
  if (problems.length > SHOWN_MAX) lines.push(`and ${problems.length - SHOWN_MAX} more`);
  return [`${source}: ${problems.length} mistakes`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** `queues.orders.max_wait (line 12): is missing; …` */
export function describe({ path, line, text }: Problem): string {
  const place = [pathText(path), line === undefined ? "" : `(line ${line})`].filter((part) => part !== "");
  return place.length === 0 ? text : `${place.join(" ")}: ${text}`;
}

function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${shown(step)}]`;
  }
  return text;
}

/** How much of a wrong value is repeated to its writer, in characters. */
const VALUE_SHOWN = 60;

/** A value as it may stand in a message: on one line, and not too long. */
export function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= VALUE_SHOWN ? text : `${text.slice(0, VALUE_SHOWN)}…`;
}
