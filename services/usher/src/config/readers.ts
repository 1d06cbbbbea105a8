// Readers of single values, for the file and for flags alike: each takes what was written and returns what is meant,
// or throws a `Mistake` that says what it is instead and what would do.

import { isPlainLine, NOTICE_LENGTH_MAX } from "@usher/queue";
import { formatDuration, parseDuration } from "./duration.ts";
import { Mistake, shown } from "./mistake.ts";
import { suggestion } from "./suggestion.ts";

export type Reader<T> = (value: unknown) => T;

/** A string, whatever is in it; what the readers of text begin with. */
export function string(value: unknown, wanted: string): string {
  if (typeof value === "string") return value;
  throw new Mistake(`${kindOf(value)}; give ${wanted}`);
}

/** What a value is, where it is not what it should be. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is empty";
  if (Array.isArray(value)) return "is a list";
  return typeof value === "object" ? "is a map" : `${shown(value)} is a ${typeof value}`;
}

export function integer(least: number, most: number): Reader<number> {
  return (value) => {
    const wanted = `a whole number from ${least} to ${most}`;
    const number = inRange(value, least, most, wanted);
    if (!Number.isInteger(number)) throw new Mistake(`${number} is not whole; give ${wanted}`);
    return number;
  };
}

function inRange(value: unknown, least: number, most: number, wanted: string): number {
  if (typeof value !== "number") throw new Mistake(`${kindOf(value)}; give ${wanted}`);
  if (Number.isNaN(value)) throw new Mistake(`is not a number; give ${wanted}`);
  if (value < least) throw new Mistake(`${value} is too small; give ${wanted}`);
  if (value > most) throw new Mistake(`${value} is too large; give ${wanted}`);
  return value;
}

/** A number with at most three decimals, in thousandths, which is how the log keeps it. */
export function thousandths(least: number, most: number): Reader<number> {
  return (value) => {
    const wanted = `a number from ${least / 1_000} to ${most / 1_000}`;
    const number = inRange(value, least / 1_000, most / 1_000, wanted);
    const whole = Math.round(number * 1_000);
    if (Math.abs(number * 1_000 - whole) > 1e-6 * whole)
      throw new Mistake(`${number} is finer than a thousandth; give ${wanted}`);
    return whole;
  };
}

/** A duration, in milliseconds. A bare 0 will do; any other number lacks its unit. */
export function duration(least_ms: number, most_ms: number): Reader<number> {
  return (value) => {
    const bounds = `from ${formatDuration(least_ms)} to ${formatDuration(most_ms)}`;
    const wanted = `a duration ${bounds}, such as 30m, 2s or 500ms`;
    if (typeof value === "number" && value !== 0)
      throw new Mistake(
        `${value} ${Number.isFinite(value) ? "has no unit" : "is no duration"}; give ${wanted}`,
      );
    const ms = value === 0 ? 0 : parseDuration(string(value, wanted));
    if (ms === undefined) throw new Mistake(`${shown(value)} is not a duration; give ${wanted}`);
    if (ms < least_ms) throw new Mistake(`${shown(value)} is too short; give ${wanted}`);
    if (ms > most_ms) throw new Mistake(`${shown(value)} is too long; give ${wanted}`);
    return ms;
  };
}

export function boolean(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new Mistake(`${kindOf(value)}; give true or false`);
}

export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (value) => {
    const wanted = `one of ${words.join(", ")}`;
    const text = string(value, wanted);
    const word = words.find((known) => known === text);
    if (word !== undefined) return word;
    throw new Mistake(`${shown(text)} is not known${suggestion(text, words)}; give ${wanted}`);
  };
}

const KiB = 1024;
const SIZES = { B: 1, KiB, MiB: KiB ** 2, GiB: KiB ** 3, TiB: KiB ** 4 } as const;

/** A size, in bytes: a number of them, or with a unit of 1,024s. */
export function bytes(least: number, most: number): Reader<number> {
  return (value) => {
    const wanted = `a size from ${formatBytes(least)} to ${formatBytes(most)}, as a number of bytes or with KiB, MiB or GiB`;
    const size = typeof value === "number" ? value : parseBytes(string(value, wanted));
    if (size === undefined || !Number.isInteger(size))
      throw new Mistake(`${shown(value)} is not a size; give ${wanted}`);
    if (size < least) throw new Mistake(`${shown(value)} is too small; give ${wanted}`);
    if (size > most) throw new Mistake(`${shown(value)} is too large; give ${wanted}`);
    return size;
  };
}

function parseBytes(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,15}) ?(B|KiB|MiB|GiB|TiB)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * SIZES[unit as keyof typeof SIZES];
}

/** The same, the other way round, in the largest unit that leaves a whole number. */
export function formatBytes(size: number): string {
  const fitting = Object.entries(SIZES).findLast(([, factor]) => size >= factor && size % factor === 0);
  const [unit, factor] = fitting ?? ["B", 1];
  return `${size / factor}${unit}`;
}

/** This node's name in the log. */
export function nodeName(value: unknown): string {
  const wanted = "1 to 128 of A-Z a-z 0-9 . _ : -";
  const text = string(value, wanted);
  if (!/^[A-Za-z0-9._:-]{1,128}$/.test(text))
    throw new Mistake(`${shown(text)} is not a node's name; give ${wanted}`);
  return text;
}

/** What topics' names begin with. A topic's name has at most 249 characters, and what follows takes some. */
export function topicPrefix(value: unknown): string {
  const wanted = "1 to 200 of A-Z a-z 0-9 . _ -";
  const text = string(value, wanted);
  if (!/^[A-Za-z0-9._-]{1,200}$/.test(text))
    throw new Mistake(`${shown(text)} cannot begin a topic's name; give ${wanted}`);
  return text;
}

/** A word of somebody else's choosing, such as a user's name. */
export function word(value: unknown): string {
  const wanted = "1 to 255 characters on one line";
  const text = string(value, wanted);
  if (text === "" || text.length > 255 || /\p{Cc}/u.test(text))
    throw new Mistake(`${shown(text)} will not do; give ${wanted}`);
  return text;
}

/** A port that may be left out: `off`. */
export function portOrOff(least: number, most: number): Reader<number | "off"> {
  const port = integer(least, most);
  // In the YAML of old, a bare `off` is a false.
  return (value) => {
    if (value === "off" || value === false) return "off";
    if (typeof value === "number") return port(value);
    throw new Mistake(`${kindOf(value)}; give a port from ${least} to ${most}, or off`);
  };
}

/** The name of a queue or of a service. */
export function name(value: unknown): string {
  const wanted = "1 to 64 of a-z 0-9 - _ .";
  const text = string(value, wanted);
  if (text === "") throw new Mistake(`a name may not be empty; give ${wanted}`);
  if (!/^[a-z0-9._-]{1,64}$/.test(text)) throw new Mistake(`${shown(text)} is not a name; give ${wanted}`);
  return text;
}

/** The name of a header, in small letters: HTTP does not tell them apart. */
export function headerName(value: unknown): string {
  const wanted = "a header's name, such as accept-language";
  const text = string(value, wanted);
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text))
    throw new Mistake(`${shown(text)} is not a header's name; give ${wanted}`);
  return text.toLowerCase();
}

/** The operator's words to those who wait. */
export function notice(value: unknown): string {
  const wanted = `at most ${NOTICE_LENGTH_MAX} characters of plain text, on one line`;
  const text = string(value, wanted);
  if (!isPlainLine(text)) throw new Mistake(`is not plain text on one line; give ${wanted}`);
  if (text.length > NOTICE_LENGTH_MAX) throw new Mistake(`is ${text.length} characters long; give ${wanted}`);
  return text;
}

/** The path of a file; where from is the caller's to know. */
export function filePath(value: unknown): string {
  const text = string(value, "the path of a file");
  if (text === "" || text.includes("\0"))
    throw new Mistake(`${shown(text)} is not the path of a file; give one`);
  return text;
}
