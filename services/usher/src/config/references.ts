// What one part of the file says about another. Works on what stands there, right or wrong, so that a mistake in one
// part does not hide those in the others.

import { QUEUES_MAX } from "@usher/queue";
import { Mistake, type Path, type Problem, shown } from "./mistake.ts";
import { name } from "./readers.ts";
import { covers, type RouteMatch, routeMatch } from "./route-match.ts";
import { suggestion } from "./suggestion.ts";

/** Services that one file may hold. */
const SERVICES_MAX = 1_000;

export function referenceProblems(file: unknown): Problem[] {
  if (!isMap(file)) return [];
  const problems = [
    ...namesProblems("services", file.services, SERVICES_MAX),
    ...namesProblems("queues", file.queues, QUEUES_MAX),
    ...limitProblems(file.queues),
    ...routeProblems(file),
  ];
  if (isEmpty(file.queues) && isEmpty(file.routes))
    problems.push({ path: [], text: "has neither queues nor routes; it needs at least one of either" });
  return problems;
}

function namesProblems(what: string, map: unknown, most: number): Problem[] {
  if (!isMap(map)) return [];
  const problems: Problem[] = [];
  const names = Object.keys(map);
  if (names.length > most) problems.push({ path: [what], text: `holds more than ${most} ${what}` });
  for (const key of names) {
    const path: Path = [what, key];
    try {
      name(key);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      problems.push({ path, text: error.message });
    }
    // zod passes over this one without a word.
    if (key === "__proto__") problems.push({ path, text: "cannot be a name; give another" });
  }
  return problems;
}

function limitProblems(queues: unknown): Problem[] {
  if (!isMap(queues)) return [];
  return Object.entries(queues).flatMap(([name, queue]) => {
    if (!isMap(queue) || !isMap(queue.limit) || Object.keys(queue.limit).length > 0) return [];
    return [{ path: ["queues", name, "limit"], text: "is empty; give rate_per_second, max_active or both" }];
  });
}

function routeProblems(file: Record<string, unknown>): Problem[] {
  if (!Array.isArray(file.routes)) return [];
  const problems: Problem[] = [];
  const earlier: { readonly at: number; readonly match: RouteMatch }[] = [];
  for (const [at, route] of file.routes.entries()) {
    if (!isMap(route)) continue;
    problems.push(...referenceTo(file, at, route, "service"), ...referenceTo(file, at, route, "queue"));
    const match = matchOf(route.match);
    if (match === undefined) continue;
    // The first route that fits counts, so such a one would leave its requests to another's queue, or to none.
    const first = earlier.find((one) => covers(one.match, match));
    if (first === undefined) earlier.push({ at, match });
    else problems.push({ path: ["routes", at, "match"], text: coveredText(match, first) });
  }
  return problems;
}

function referenceTo(
  file: Record<string, unknown>,
  at: number,
  route: Record<string, unknown>,
  what: "service" | "queue",
): Problem[] {
  const target = route[what];
  const known = file[`${what}s`];
  const names = isMap(known) ? Object.keys(known) : [];
  if (typeof target !== "string" || target === "") return [];
  if (names.includes(target)) return what === "queue" ? passProblems(known, at, target) : [];
  const among = names.length === 0 ? `there are no ${what}s` : `there are ${names.join(", ")}`;
  const text = `there is no ${what} ${shown(target)}${suggestion(target, names)}; ${among}`;
  return [{ path: ["routes", at, what], text }];
}

function passProblems(queues: unknown, at: number, name: string): Problem[] {
  const queue = isMap(queues) ? queues[name] : undefined;
  if (!isMap(queue) || queue.kind !== "pass") return [];
  const text = `${shown(name)} is a pass queue, and this build has routes through defer queues only; take a pass queue's tickets by RPC, or give a defer queue`;
  return [{ path: ["routes", at, "queue"], text }];
}

function coveredText(match: RouteMatch, first: { readonly at: number; readonly match: RouteMatch }): string {
  const [text, other] = [plain(match), plain(first.match)];
  const advice = text === other ? "keep one" : `put it before ${shown(other)}`;
  return `${shown(text)} is matched by routes[${first.at}] already, which comes first; ${advice}`;
}

function plain({ method, path }: RouteMatch): string {
  return method === undefined ? path : `${method} ${path}`;
}

/** Absent where it is no match (which the schema tells). */
function matchOf(match: unknown): RouteMatch | undefined {
  try {
    return routeMatch(match);
  } catch {
    return undefined;
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
