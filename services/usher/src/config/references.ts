// What one part of the file says about another. Works on what stands there, right or wrong, so that a mistake in one
// part does not hide those in the others.

import { QUEUES_MAX } from "@usher/queue";
import { type Hider, hiderOf, type Placed, placed } from "./hidden-routes.ts";
import { type LogUrl, logUrl } from "./log-url.ts";
import { Mistake, type Path, type Problem, shown } from "./mistake.ts";
import { name } from "./readers.ts";
import { type RouteMatch, routeMatch } from "./route-match.ts";
import { LISTEN_DEFAULTS } from "./schema.ts";
import { suggestion } from "./suggestion.ts";

/** Services that one file may hold. */
const SERVICES_MAX = 1_000;

/** What flags say in place of the file, where the file's parts depend on it. */
export interface Instead {
  readonly log?: LogUrl;
  readonly nodes?: number;
  readonly port?: number;
  readonly grpc_port?: number;
  readonly metrics_port?: number | "off";
}

export function referenceProblems(file: unknown, instead: Instead = {}): Problem[] {
  if (!isMap(file)) return [];
  const problems = [
    ...logProblems(file, instead),
    ...shareProblems(file, instead),
    ...portProblems(file, instead),
    ...namesProblems("services", file.services, SERVICES_MAX),
    ...queuesProblems(file),
    ...routeProblems(file),
  ];
  if (isEmpty(file.queues) && isEmpty(file.routes))
    problems.push({ path: [], text: "has neither queues nor routes; it needs at least one of either" });
  return problems;
}

/** What the queues' own shapes cannot tell. */
export function queuesProblems({ queues }: { readonly queues?: unknown }): Problem[] {
  return [
    ...namesProblems("queues", queues, QUEUES_MAX),
    ...limitProblems(queues),
    ...attemptsProblems(queues),
  ];
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

/** What goes with a Kafka log alone. */
function logProblems(file: Record<string, unknown>, instead: Instead): Problem[] {
  const kind = instead.log?.kind ?? logKindOf(file.log);
  if (kind !== "sqlite") return [];
  const problems: Problem[] = [];
  const nodes = instead.nodes ?? file.nodes;
  if (typeof nodes === "number" && nodes > 1) {
    const text = `${nodes} nodes cannot share the embedded log, which one process alone has open; give 1, or a Kafka log (log: kafka://…)`;
    problems.push({ path: instead.nodes === undefined ? ["nodes"] : [], text });
  }
  // A flag may choose another log for once; the file is none the worse for it.
  if (instead.log === undefined && !isEmpty(file.kafka)) {
    const text =
      "goes with a Kafka log, and the log is the embedded one; give log: kafka://…, or take it out";
    problems.push({ path: ["kafka"], text });
  }
  return problems;
}

/** Absent where it is none (which the schema tells). */
function logKindOf(log: unknown): LogUrl["kind"] | undefined {
  try {
    return log === undefined ? "sqlite" : logUrl(log).kind;
  } catch {
    return undefined;
  }
}

/** A node's share of what may be at the service at once is rounded down: it must not come to nothing. */
function shareProblems(file: Record<string, unknown>, instead: Instead): Problem[] {
  const nodes = instead.nodes ?? file.nodes;
  if (typeof nodes !== "number" || !Number.isInteger(nodes) || !isMap(file.queues)) return [];
  return Object.entries(file.queues).flatMap(([name, queue]) => {
    const room = isMap(queue) && queue.kind === "defer" && isMap(queue.limit) ? queue.limit.max_active : 0;
    if (typeof room !== "number" || room < 1 || room >= nodes) return [];
    const text = `${room} cannot be divided among ${nodes} nodes; give at least ${nodes}, or fewer nodes`;
    return [{ path: ["queues", name, "limit", "max_active"], text }];
  });
}

/** Two listeners cannot have one port, and which of them is told that it is in use would be chance. */
function portProblems(file: Record<string, unknown>, instead: Instead): Problem[] {
  const listen = isMap(file.listen) ? file.listen : {};
  const taken = new Map<number, "port" | "grpc_port" | "metrics_port">();
  return (["port", "grpc_port", "metrics_port"] as const).flatMap((name) => {
    const port = instead[name] ?? listen[name] ?? PORT_DEFAULTS[name];
    if (typeof port !== "number" || port === 0) return [];
    const other = taken.get(port);
    taken.set(port, name);
    if (other === undefined) return [];
    const isFile = instead[name] === undefined && instead[other] === undefined;
    const text = `listen.${name} and listen.${other} are both ${port}; give each a port of its own`;
    return [{ path: isFile ? ["listen", name] : [], text }];
  });
}

/** The metrics go without a port where theirs is in use. */
const PORT_DEFAULTS = { ...LISTEN_DEFAULTS, metrics_port: undefined };

function limitProblems(queues: unknown): Problem[] {
  if (!isMap(queues)) return [];
  return Object.entries(queues).flatMap(([name, queue]) => {
    if (!isMap(queue) || !isMap(queue.limit) || Object.keys(queue.limit).length > 0) return [];
    return [{ path: ["queues", name, "limit"], text: "is empty; give rate_per_second, max_active or both" }];
  });
}

/** People are not sent a second time. */
function attemptsProblems(queues: unknown): Problem[] {
  if (!isMap(queues)) return [];
  return Object.entries(queues).flatMap(([name, queue]) => {
    if (!isMap(queue) || queue.kind !== "pass" || queue.attempts === undefined) return [];
    const text = "goes with a queue of kind defer: in one of kind pass nothing is sent by Usher; take it out";
    return [{ path: ["queues", name, "attempts"], text }];
  });
}

function routeProblems(file: Record<string, unknown>): Problem[] {
  if (!Array.isArray(file.routes)) return [];
  const problems: Problem[] = [];
  const routes: Placed[] = [];
  for (const [at, route] of file.routes.entries()) {
    if (!isMap(route)) continue;
    problems.push(...referenceTo(file, at, route, "service"), ...referenceTo(file, at, route, "queue"));
    problems.push(...fieldProblems(at, route, kindOf(file, route)));
    const match = matchOf(route.match);
    if (match !== undefined) routes.push(placed({ at, match, queued: route.queue !== undefined }));
  }
  for (const route of routes) {
    const hider = hiderOf(route, routes);
    if (hider !== undefined)
      problems.push({ path: ["routes", route.at, "match"], text: hiddenText(route, hider) });
  }
  return problems;
}

/** Fields of a route that only count where requests are stored, or their connections held. */
const OF_STORED = ["hold", "body_bytes", "response_bytes", "store_headers", "drop_headers"] as const;

/** Fields of a route that say nothing, alone or together. `kind`: of its queue; absent where it has none, or one that is
 * wrong (which the schema tells). */
function fieldProblems(at: number, route: Record<string, unknown>, kind: unknown): Problem[] {
  const problems: Problem[] = [];
  const refuse = (fields: readonly string[], text: string): void => {
    for (const field of fields)
      if (route[field] !== undefined) problems.push({ path: ["routes", at, field], text });
  };
  if (route.queue === undefined)
    refuse(
      ["max_wait", ...OF_STORED],
      "goes with a queue, and this route has none: nobody waits here; take it out, or give a queue",
    );
  if (kind === "pass")
    refuse(
      OF_STORED,
      "goes with a queue of kind defer, which stores requests; in one of kind pass people wait, and nothing is held or stored; take it out",
    );
  if (route.store_headers !== undefined && route.drop_headers !== undefined) {
    const text = "says what is stored, and store_headers does already; keep one of them";
    problems.push({ path: ["routes", at, "drop_headers"], text });
  }
  return problems;
}

function kindOf({ queues }: Record<string, unknown>, { queue: name }: Record<string, unknown>): unknown {
  const queue = isMap(queues) && typeof name === "string" && Object.hasOwn(queues, name) ? queues[name] : {};
  return isMap(queue) ? queue.kind : undefined;
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
  if (names.includes(target)) return [];
  const among = names.length === 0 ? `there are no ${what}s` : `there are ${names.join(", ")}`;
  const text = `there is no ${what} ${shown(target)}${suggestion(target, names)}; ${among}`;
  return [{ path: ["routes", at, what], text }];
}

function hiddenText({ match }: Placed, { route, bySpelling }: Hider): string {
  const [text, other] = [plain(match), plain(route.match)];
  if (bySpelling)
    return `${shown(text)} is matched in another spelling by routes[${route.at}] (${shown(other)}), and all of its requests wait in the queue of that, for services may take the one for the other; keep one of the two, or name paths one by one, without a *`;
  const advice = text === other ? "keep one" : `put it before ${shown(other)}`;
  return `${shown(text)} is matched by routes[${route.at}] already, which comes first; ${advice}`;
}

function plain({ methods, path }: RouteMatch): string {
  return methods === undefined ? path : `${methods.join(",")} ${path}`;
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
