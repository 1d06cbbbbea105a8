// For proxies that do the forwarding themselves: whether a request may go through, and what its client is answered if
// not. The decision is the pass queue's; here is who asks, and in which words it is told.
//
//   asker.ts        who may ask
//   subrequest.ts   nginx and Traefik ask over HTTP, and nginx fetches the answer for those who wait
//   envoy.ts        Envoy asks over gRPC (ext_authz)

import { checkMethod } from "../listener/door.ts";
import type { Lines } from "../listener/exchange.ts";
import { type Problem, problem } from "../listener/problem.ts";
import { readTarget, type Target } from "../listener/target.ts";
import type { Routes } from "../route.ts";
import { type Answer, renderRefusal, renderWaiting } from "../waiting/pass/answer.ts";
import type { Asking } from "../waiting/pass/asking.ts";
import type { PassQueue, Verdict } from "../waiting/pass/queue.ts";

/** A request that somebody asks about. */
export interface Inquiry {
  readonly asking: Asking;
  /** Path and query, as the client sent them. */
  readonly uri: string;
  /** The headers, as they came. */
  readonly lines: Lines;
  /** The queue that it stands behind, in the proxy's own word; absent: that of the first route that fits. */
  readonly queue: string | undefined;
}

export interface Checked {
  readonly verdict: Verdict;
  /** The client's target; absent where it is none. */
  readonly target: Target | undefined;
}

export interface CheckOptions {
  readonly routes: Routes;
  /** The pass queue of a name; undefined for any other. */
  readonly passQueue: (name: string) => PassQueue | undefined;
}

export class Check {
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async decide(inquiry: Inquiry): Promise<Checked> {
    const target = checkMethod(inquiry.asking.method) ?? readTarget(inquiry.uri);
    if ("reason" in target) return { verdict: refused(target), target: undefined };
    return { verdict: await this.#decide(inquiry, target), target };
  }

  async #decide({ asking, lines, queue: named }: Inquiry, target: Target): Promise<Verdict> {
    const { routes, passQueue } = this.#options;
    const route = routes.find({ method: asking.method, path: target.path, lines });
    if (named === undefined && route === undefined)
      return refused(
        problem("route_not_found", "no route fits method and path, and the proxy names no queue (?queue=…)"),
      );
    const name = named ?? route?.queue;
    if (name === undefined) return { kind: "open" };
    const queue = passQueue(name);
    if (queue === undefined)
      return refused(
        problem(
          "queue_not_found",
          "the proxy asks about a queue that is none in which people wait (kind: pass)",
        ),
      );
    // A route's own bounds hold where the route leads to the queue that is meant.
    return queue.decide(asking, route?.queue === name ? route : {});
  }
}

function refused(problem: Problem): Verdict {
  return { kind: "refused", problem };
}

/** What the client of a request is answered that may not go through; undefined for one that may. */
export function answerTo(
  where: Parameters<typeof renderWaiting>[0],
  { asking }: Inquiry,
  { verdict, target }: Checked,
): Answer | undefined {
  if (verdict.kind === "refused") return renderRefusal({ problem: verdict.problem, asking });
  if (verdict.kind !== "waits" || target === undefined) return undefined;
  return renderWaiting(where, { ...verdict, asking, target });
}

/** The same, for a proxy to which a success would be leave to pass: the waiting page, too, is a refusal. */
export function denial(...parts: Parameters<typeof answerTo>): Answer | undefined {
  const answer = answerTo(...parts);
  return answer && { ...answer, status: answer.status < 300 ? MUST_WAIT : answer.status };
}

/** Too Many Requests (RFC 6585, 4). */
const MUST_WAIT = 429;

/** What the service is told of who may go through: header lines, flat; none where nobody was given a pass. */
export function passLines(verdict: Verdict): string[] {
  if (verdict.kind !== "admitted") return [];
  return ["usher-pass", verdict.pass, "usher-ticket", `${verdict.place.view.number}`];
}
