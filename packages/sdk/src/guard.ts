// The guard of a service: only who came through the line is let in. Passes are checked here, with the gateway's public keys,
// and the gateway is asked for nothing else.
//
//   request ──▶ presented.ts ──▶ pass.ts ──▶ the handler, and `passOf`
//               the pass in it   keys.ts └──▶ refusal.ts ──▶ http.ts, rpc.ts ──▶ the way to the queue
//
//   gate.ts   the decision, for all of these:
//   node.ts   node:http, Express, Fastify      fetch.ts   Bun, Deno, Hono
//   connect.ts   Connect                       grpc.ts    grpc-js; an entry of its own, `guard/grpc`

import { type ConnectRequest, guardConnect } from "./guard/connect.ts";
import { type HonoContext, refusedBy } from "./guard/fetch.ts";
import { Gate, type GuardOptions } from "./guard/gate.ts";
import {
  type FastifyReply,
  type FastifyRequest,
  guardFastify,
  guardNode,
  type NodeRequest,
  type NodeResponse,
} from "./guard/node.ts";
import type { Pass } from "./guard/pass.ts";
import type { HeaderOf } from "./guard/presented.ts";
import type { Refusal } from "./guard/refusal.ts";

export { type ErrorCode, UsherError } from "./errors.ts";
export type { GuardOptions } from "./guard/gate.ts";
export { type Answer, answerOf } from "./guard/http.ts";
export type { KeyOptions, KeySet } from "./guard/keys.ts";
export type { Flaw, Pass } from "./guard/pass.ts";
export type { HeaderOf } from "./guard/presented.ts";
export type { Refusal, RefusalReason } from "./guard/refusal.ts";

/** Lets only requests with a good pass through to what it is put before. Over HTTP all others are answered with a problem
 * (RFC 9457), and browsers that ask for a page are sent to `waitAt` by a 303: 403 `urn:usher:problem:pass_required`, with
 * `flaw`, `queues` and `wait_at`; or 503 `urn:usher:problem:keys_unavailable` with `Retry-After`, while there are no keys.
 * Over gRPC and Connect they are PERMISSION_DENIED and UNAVAILABLE, with an `ErrorInfo` of the domain `usher.guard`.
 *
 * What it does not do:
 * - **It does not ask the log.** A pass is taken until it expires (`exp`), also when its ticket was completed or left before;
 *   the gateway would refuse it. To shorten that, keep the queue's `session` short: who is there is given more by the
 *   gateway, and who is gone loses the rest. Where not even that will do, let the service be reached through the gateway
 *   alone.
 * - **It does not count.** A pass is for many requests, and whoever has it may use it; the same person can come twice.
 * - **It does not know the queue's mode.** In `open` the gateway gives out no passes, and who has none is refused here.
 * - **It does not see preflights' passes**, since browsers send none with them: put what answers CORS before it. Nor does it
 *   see `upgrade` events of node:http: call `check` in their handler, and write what `answerOf` makes of a refusal. */
export interface Guard {
  /** A handler of node:http, or of http2 in its compatible form, behind the guard. What the handler throws is thrown as the
   * rejection of the promise. */
  node<Req extends NodeRequest, Res extends NodeResponse>(
    handler: (req: Req, res: Res) => unknown,
  ): (req: Req, res: Res) => Promise<void>;
  /** Middleware of Express and its kind: `app.use("/checkout", guard.express)`. */
  readonly express: (req: NodeRequest, res: NodeResponse, next: (error?: unknown) => void) => void;
  /** A hook of Fastify: `app.addHook("onRequest", guard.fastify)`, or `onRequest: guard.fastify` at a route. */
  readonly fastify: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
  /** A handler that takes a `Request` and returns a `Response`, behind the guard: `Bun.serve({ fetch: guard.fetch(handler) })`,
   * `Deno.serve(guard.fetch(handler))`. Further arguments are handed on. */
  fetch<Rest extends readonly unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
  /** Middleware of Hono: `app.use("/checkout/*", guard.hono)`. */
  readonly hono: (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>;
  /** An interceptor of Connect's services: `connectNodeAdapter({ routes, interceptors: [guard.connect] })`. */
  readonly connect: <Req extends ConnectRequest, Res>(
    next: (request: Req) => Promise<Res>,
  ) => (request: Req) => Promise<Res>;
  /** The pass with which a request was let through. It is found by what the handler was given: the request in node:http,
   * Express, Fastify and fetch; the context, or `context.req.raw`, in Hono; `context.values` in Connect; `call.metadata` in
   * grpc-js. Throws a `UsherError`, `misused`, for what did not come through this guard. */
  passOf(holder: object): Pass;
  /** What all of these are made of, for whatever else there is: why a request is refused; undefined where it may go on.
   * `header`: its headers, by name. `holders`: what `passOf` is to find the pass by. `answerOf` makes an answer of a refusal.
   * Does not reject. */
  check(header: HeaderOf, ...holders: readonly object[]): Promise<Refusal | undefined>;
}

/** A guard. One is enough for a process: it keeps the keys. Throws a `UsherError`, `misused`, where the options make no
 * sense. Keys are fetched when the first pass comes.
 *
 * ```ts
 * const guard = createGuard({
 *   jwks: "https://tickets.example.com/_usher/jwks.json",
 *   queue: "concert",
 *   audience: "shop",
 *   waitAt: "https://tickets.example.com/concert",
 * });
 * http.createServer(guard.node(handler)).listen(3000);
 * ``` */
export function createGuard(options: GuardOptions): Guard {
  const gate = new Gate(options);
  return {
    node: (handler) => (req, res) => guardNode(gate, req, res, () => handler(req, res)),
    express: (req, res, next) => {
      guardNode(gate, req, res, () => next()).catch(next);
    },
    fastify: (request, reply) => guardFastify(gate, request, reply),
    fetch:
      (handler) =>
      async (request, ...rest) =>
        (await refusedBy(gate, request)) ?? handler(request, ...rest),
    hono: async (context, next) => {
      const refused = await refusedBy(gate, context.req.raw, context);
      if (refused === undefined) await next();
      return refused;
    },
    connect: (next) => async (request) => {
      await guardConnect(gate, request);
      return next(request);
    },
    passOf: (holder) => gate.passOf(holder),
    check: (header, ...holders) => gate.check(header, ...holders),
  };
}
