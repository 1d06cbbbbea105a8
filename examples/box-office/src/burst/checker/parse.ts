// From text to lines whose fields are what `lines.ts` says.

import type { BuyersLine, ShopLine } from "../../lines.ts";
import type { Findings } from "./findings.ts";

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number" && Number.isFinite(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const flag: Check = (value) => typeof value === "boolean";
const object: Check = (value) => typeof value === "object" && value !== null;
const counts: Check = (value) => Array.isArray(value) && value.every(count);
const or_null =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const one_of =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string);
const purpose = one_of("purchase", "ticket", "response");

const common: Readonly<Record<string, Shape>> = {
  start: { line: count, at_ms: number, options: object },
  end: { line: count, at_ms: number, dropped: count },
};

const shopShapes: Readonly<Record<string, Shape>> = {
  ...common,
  request: {
    line: count,
    request: count,
    arrived_ms: number,
    ended_ms: or_null(number),
    in_flight: count,
    in_flight_max: count,
    door: count,
    method: text,
    path: text,
    key: or_null(text),
    buyer: or_null(text),
    ticket: or_null(count),
    status: or_null(count),
    purchase: or_null(text),
    seats: counts,
    replay: flag,
  },
};

const event: Shape = { line: count, at_ms: number, buyer: count };

const buyersShapes: Readonly<Record<string, Shape>> = {
  ...common,
  scheduled: { ...event, due_ms: number, key: text },
  sent: { ...event, request: count, to: purpose, gateway: count },
  answer: {
    ...event,
    request: count,
    to: purpose,
    gateway: count,
    status: count,
    ticket: or_null(count),
    position: or_null(count),
    problem: or_null(text),
    purchase: or_null(text),
    seats: counts,
  },
  broken: { ...event, request: count, to: purpose, gateway: count, error: text },
  ticketed: { ...event, request: count, number: count, id: text },
  retry: { ...event, request: count, after_ms: number },
  outcome: {
    ...event,
    outcome: one_of("answered", "failed", "unknown", "lost"),
    status: or_null(count),
    purchase: or_null(text),
  },
};

/** The lines of the shop's file that are whole, in the order of their numbers. */
export function parseShop(lines: readonly string[], findings: Findings): ShopLine[] {
  return parse<ShopLine>("shop", lines, shopShapes, findings);
}

/** The lines of the buyers' file that are whole, in the order of their numbers. */
export function parseBuyers(lines: readonly string[], findings: Findings): BuyersLine[] {
  return parse<BuyersLine>("buyers", lines, buyersShapes, findings);
}

function parse<Line extends ShopLine | BuyersLine>(
  file: "shop" | "buyers",
  texts: readonly string[],
  shapes: Readonly<Record<string, Shape>>,
  findings: Findings,
): Line[] {
  const byNumber = new Map<number, Line>();
  let highest = 0;
  for (const [index, text] of texts.entries()) {
    const line = parseLine<Line>(text, shapes);
    if (typeof line === "string") {
      findings.add(file, "malformed", `the ${index + 1}th line ${line}`);
    } else if (byNumber.has(line.line)) {
      findings.add(file, "repeated", `line ${line.line} is there again, as the ${index + 1}th`);
    } else {
      if (line.line < highest) findings.add(file, "moved", `line ${line.line} stands after line ${highest}`);
      highest = Math.max(highest, line.line);
      byNumber.set(line.line, line);
    }
  }
  const lines = [...byNumber.values()].sort((one, other) => one.line - other.line);
  checkWhole(file, lines, findings);
  return lines;
}

function parseLine<Line>(text: string, shapes: Readonly<Record<string, Shape>>): Line | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "is not JSON";
  }
  if (typeof value !== "object" || value === null) return "is not an object";
  const fields: Record<string, unknown> = { ...value };
  const kind = String(fields.kind);
  const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (shape === undefined) return `is of no known kind: ${kind}`;
  const wrong = Object.keys(shape).find((name) => !shape[name]!(fields[name]));
  return wrong === undefined ? (value as Line) : `has no proper ${wrong}`;
}

/** Nothing left out, from `start` to `end`. */
function checkWhole(
  file: "shop" | "buyers",
  lines: readonly (ShopLine | BuyersLine)[],
  findings: Findings,
): void {
  for (const [index, { line }] of lines.entries()) {
    const before = lines[index - 1]?.line ?? 0;
    if (line === before + 2) findings.add(file, "missing", `line ${line - 1} is missing`);
    else if (line !== before + 1) {
      findings.add(file, "missing", `lines ${before + 1} to ${line - 1} are missing`);
    }
  }
  if (lines[0]?.kind !== "start") findings.add(file, "missing", "the file does not begin with its start");
  const last = lines.at(-1);
  if (last?.kind !== "end") findings.add(file, "missing", "the file does not close with its end");
  else if (last.dropped > 0) findings.add(file, "missing", `${last.dropped} lines found no room in the file`);
  for (const { kind, line } of lines.slice(1, -1)) {
    if (kind === "start" || kind === "end")
      findings.add(file, "impossible", `line ${line} is another ${kind}`);
  }
}
