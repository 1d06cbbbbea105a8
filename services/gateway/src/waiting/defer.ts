// A request for a `defer` queue: straight through while the limit allows and nobody waits; otherwise it is stored with
// a ticket, held open for a moment, and then left to wait without its client.
//
//   answer.ts     what holders are answered         hold.ts            for how long a connection is held
//   tickets.ts    the ticket as a resource          stored-request.ts  what is stored
//   problems.ts   the queue's refusals over HTTP    long-wait.ts       who would wait too long
//   identity.ts   who sends it, under which key     kept.ts            where it is, for who lost the answer

import type { StoredRequest } from "@usher/protocol/payload";
import {
  type Access,
  type IssuedPlace,
  type IssueWish,
  type Place,
  type Replica,
  traceContext,
} from "@usher/replica";
import type { Permit } from "@usher/traffic";
import type { Lane } from "../dispatch/lane.ts";
import { keyIn, type Requests } from "../dispatch/requests.ts";
import type { ForwardOptions } from "../forward/forward.ts";
import type { BodyReader } from "../listener/body.ts";
import { isPreflight } from "../listener/cors.ts";
import { type EdgeRequest, type EdgeResponse, goneSignal } from "../listener/exchange.ts";
import { answerProblem, type Problem } from "../listener/problem.ts";
import type { Target } from "../listener/target.ts";
import { upgradeOf } from "../listener/upgrade.ts";
import { observeDecision } from "../observe/decision.ts";
import type { Route } from "../route.ts";
import { answerEnd, answerStatus, endOf, tellKey, ticketLocation } from "./answer.ts";
import { holdOf } from "./hold.ts";
import { type Identity, identityOf, onlyOf } from "./identity.ts";
import { waitTooLong } from "./long-wait.ts";
import { PREFLIGHT_CANNOT_WAIT, problemOf, UPGRADE_CANNOT_WAIT } from "./problems.ts";
import { storedRequest } from "./stored-request.ts";

/** Sends a request that has leave straight on to its service, with more headers than its own, and its answer back. */
export type PassOn = (
  req: EdgeRequest,
  res: EdgeResponse,
  route: Route,
  more?: Pick<ForwardOptions, "headers" | "answerHeaders" | "onAnswer" | "slow_ms">,
) => Promise<void>;

export interface DeferOptions {
  readonly replica: Replica;
  readonly access: Access;
  readonly lane: Lane;
  readonly requests: Requests;
  readonly bodies: BodyReader;
  readonly passOn: PassOn;
  /** The origin under which clients reach the gateway; absent: whatever each of them uses. */
  readonly public_url: string | undefined;
}

/** One request, and what is known of its sender. */
interface Exchange extends Identity {
  readonly req: EdgeRequest;
  readonly res: EdgeResponse;
  readonly target: Target;
  readonly route: Route;
}

export class DeferQueue {
  readonly #options: DeferOptions;

  constructor(options: DeferOptions) {
    this.#options = options;
  }

  async handle(req: EdgeRequest, res: EdgeResponse, target: Target, route: Route): Promise<void> {
    try {
      await this.#handle({ req, res, target, route, ...identityOf(req, this.#options.access) });
    } catch (error) {
      const refused = problemOf(error);
      if (refused === undefined) throw error;
      answerProblem(req, res, refused);
    }
  }

  async #handle(exchange: Exchange): Promise<void> {
    const { req, res, target, route } = exchange;
    const cannotWait = whyNoTicket(req);
    if (cannotWait === undefined && this.#hasTicket(exchange)) {
      observeDecision(this.#options.lane.queue, () => ({ action: "ticket", reason: "known_key" }));
    } else {
      const entry = this.#options.lane.enter(() => cannotWait ?? this.#waitTooLong(route));
      if (entry.action === "pass") return this.#pass(entry.permit, exchange);
      if (entry.action === "refuse") {
        answerProblem(req, res, entry.problem);
        return;
      }
    }
    const body = await this.#options.bodies.read(req, res, route.body_bytes);
    if (body.kind !== "whole") return;
    const gone = goneSignal(res);
    const request = storedRequest(req, target, route, body.bytes);
    const issued = await this.#issue(exchange, request);
    // A retry has its ticket's key, or it would not be one.
    await this.#hold(exchange, issued, keyIn(request), gone);
  }

  #waitTooLong(route: Route): Problem | undefined {
    const { replica, lane } = this.#options;
    return waitTooLong(replica.desk, lane.queue, route);
  }

  async #pass(permit: Permit, { req, res, route }: Exchange): Promise<void> {
    const { replica, lane } = this.#options;
    try {
      const takesSlot = replica.desk.queue(lane.queue).settings.max_active > 0;
      await this.#options.passOn(req, res, route, { slow_ms: takesSlot ? route.timeout_ms : undefined });
    } finally {
      permit.done();
    }
  }

  /** A retry belongs to its ticket, even when the way is free by now. */
  #hasTicket({ key, caller }: Exchange): boolean {
    if (key === undefined) return false;
    const { desk } = this.#options.replica;
    return desk.knows({ queue: this.#options.lane.queue, caller, key });
  }

  async #issue({ caller, key, req, target }: Exchange, request: StoredRequest): Promise<IssuedPlace> {
    const { replica, lane, requests } = this.#options;
    const trace = traceContext((name) => onlyOf(req.headers[name]));
    const wish = { queue: lane.queue, caller, trace };
    const issued = await (key === undefined
      ? replica.desk.issue({ ...wish, store: { request } })
      : this.#issueOnce({ ...wish, key, digest: this.#digest(req, target, request) }, request));
    if (!issued.existing) requests.took(issued.view.origin, request);
    return issued;
  }

  /** A retry is answered from the fold, without another record. */
  async #issueOnce(
    wish: Required<Pick<IssueWish, "queue" | "caller" | "key" | "digest">> & IssueWish,
    request: StoredRequest,
  ): Promise<IssuedPlace> {
    const { desk } = this.#options.replica;
    return desk.find(wish) ?? (await desk.issue({ ...wish, store: { request } }));
  }

  /** What tells a request from another under the same key. */
  #digest(req: EdgeRequest, target: Target, { body }: StoredRequest): Uint8Array {
    return this.#options.replica.hashes.request([req.method ?? "", target.raw, body]);
  }

  /** Waits a while for the answer; then sends the client away with its ticket. */
  async #hold(
    exchange: Exchange,
    issued: IssuedPlace,
    toldKey: string | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    const { req, res, route, key, keyIgnored } = exchange;
    const { replica, requests } = this.#options;
    const hold = holdOf(route, req);
    const place = await this.#awaitEnd(issued, hold.ms, gone);
    if (gone.aborted) {
      // Nobody could ask for the answer: the token was never told, and there is no key to ask again with.
      if (key === undefined && !issued.existing) await replica.desk.leave(place).catch(() => {});
      return;
    }
    if (hold.applied !== undefined) res.setHeader("preference-applied", hold.applied);
    if (keyIgnored !== undefined) res.setHeader("usher-idempotency-key-ignored", keyIgnored);
    await tellKey(requests, res, place, toldKey);
    if (endOf(place) !== undefined) {
      await answerEnd(requests, req, res, place);
      return;
    }
    const location = ticketLocation(issued.token, this.#options.public_url);
    answerStatus(replica, res, place, { status: 202, location });
  }

  async #awaitEnd(issued: Place, within_ms: number, gone: AbortSignal): Promise<Place> {
    const { desk, places } = this.#options.replica;
    // Where nobody more may watch, the client is sent away at once: its request is stored, so this is no refusal.
    if (endOf(issued) !== undefined || within_ms === 0 || gone.aborted || places.full) return issued;
    // Not AbortSignal.any of a time-out: watching joins the signal with another, and of joined ones that are joined
    // again and run out, Node keeps some for ever.
    const over = new AbortController();
    const end = () => over.abort();
    const timer = setTimeout(end, within_ms);
    gone.addEventListener("abort", end);
    let last = issued;
    try {
      for await (const place of desk.watch(issued, over.signal)) last = place;
    } finally {
      clearTimeout(timer);
      gone.removeEventListener("abort", end);
    }
    return last;
  }
}

/** Why a request goes straight through or not at all, whoever sends it. */
function whyNoTicket(req: EdgeRequest): Problem | undefined {
  if (upgradeOf(req) !== undefined) return UPGRADE_CANNOT_WAIT;
  return isPreflight(req) ? PREFLIGHT_CANNOT_WAIT : undefined;
}
