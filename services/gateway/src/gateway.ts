// The gateway: one port, on which everything arrives. RPCs go to the queue service, Usher's own paths are answered
// here, and the rest goes by its route: straight on to a service, or to a queue first.
//
//   listener/    the port, and what is refused at the door      route.ts     which request goes where
//   forward/     on to a service and back                       spelling.ts  spellings of one path
//   waiting/     requests that have to wait, and their tickets  rpc/         Connect, gRPC-Web and gRPC
//   dispatch/    sends what waited when its turn has come       health.ts    alive, ready, or not yet
//   check/       whether a request may go through, for proxies that pass it on themselves
//   observe/     what metrics and traces are told
//
// listening (it lives, and refuses what comes, with the reason) ──serve──▶ serving ──leave──▶ unready ──close──▶ closed

import type { Access, Replica } from "@usher/replica";
import { Check } from "./check/check.ts";
import { answerCheck, answerWait, CHECK_PATH, isExactly, WAIT_PATH } from "./check/subrequest.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { Lane } from "./dispatch/lane.ts";
import { Requests } from "./dispatch/requests.ts";
import { RetryBudgets } from "./dispatch/retry-budget.ts";
import { senderTo } from "./dispatch/sender.ts";
import { Sending } from "./dispatch/sending.ts";
import { forward } from "./forward/forward.ts";
import { Service, ServiceFault } from "./forward/service.ts";
import { answerStarting, answerUnready, answerWell } from "./health.ts";
import { BodyReader } from "./listener/body.ts";
import { Provenance } from "./listener/client.ts";
import { Cors } from "./listener/cors.ts";
import type { EdgeRequest, EdgeResponse } from "./listener/exchange.ts";
import { type Listener, listen, type TlsFiles } from "./listener/listener.ts";
import { answerProblem, problem } from "./listener/problem.ts";
import type { Target } from "./listener/target.ts";
import { upgradeOf } from "./listener/upgrade.ts";
import { observeRequest, observeRoute } from "./observe/request.ts";
import { isIdempotent, type Route, Routes } from "./route.ts";
import { createRpc, type RpcHandler } from "./rpc/rpc.ts";
import { PREFIX } from "./waiting/answer.ts";
import { DeferQueue, type PassOn } from "./waiting/defer.ts";
import { answerKept, type KeptOptions, REQUESTS_PATH } from "./waiting/kept.ts";
import { answerKeys, KEYS_PATH } from "./waiting/pass/keys.ts";
import { PassQueue } from "./waiting/pass/queue.ts";
import { TicketResource } from "./waiting/tickets.ts";

export interface GatewayOptions {
  /** The address to listen at; default `localhost`. */
  readonly host?: string;
  /** 0: a free one. */
  readonly port: number;
  /** Why it does not serve yet, in words that anybody may read: asked at each request that comes before. */
  readonly starting: () => string;
  /** Speaks TLS, and nothing else; default: no TLS. */
  readonly tls?: TlsFiles | undefined;
  /** The proxies, as CIDR blocks, whose forwarding headers are believed; by default none. */
  readonly trusted_proxies?: readonly string[];
  /** The origin under which clients reach the gateway, such as `https://tickets.example.com`; absent: what each
   * request says of itself. */
  readonly public_url?: string | undefined;
  /** Origins whose pages may call from a browser, and read the answers; by default none. */
  readonly allowed_origins?: readonly string[];
  /** Told of what fails inside; clients get a 500 that does not say it. */
  readonly onFault: (error: Error) => void;
}

/** What is needed to serve. */
export interface EdgeOptions {
  readonly replica: Replica;
  readonly access: Access;
  /** The first that fits a request counts. */
  readonly routes: readonly Route[];
  /** Origins by name. */
  readonly services: Readonly<Record<string, { readonly url: string }>>;
  /** Among how many nodes each limit is divided. */
  readonly nodes: number;
}

export interface Gateway {
  readonly url: string;
  readonly port: number;
  /** Serves from now on, at the same port and on the connections that are there, and begins to send what waits. Once. */
  serve(options: EdgeOptions): void;
  /** Is not ready any more, for good, and serves as before: HTTP/1.1 clients are told with each answer to open another
   * connection, which whoever balances loads sends elsewhere. */
  leave(): void;
  /** Takes nothing more, lets what is under way end within `grace_ms`, then cuts it. The replica must still run, and
   * should have begun to drain, so that streams end by themselves. */
  close(options: { readonly grace_ms: number }): Promise<void>;
}

/** Starts listening.
 * @throws BindError when the port cannot be taken, CertificateError when TLS cannot be spoken; the message says what
 * to do */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, port, tls, starting, trusted_proxies, public_url, allowed_origins = [], onFault } = options;
  let edge: Edge | undefined;
  const listener = await listen({
    host,
    port,
    tls,
    provenance: new Provenance({ trusted_proxies, public_url }),
    cors: new Cors(allowed_origins),
    handler: (req, res, target) =>
      edge === undefined ? answerStarting(req, res, target, starting()) : edge.handle(req, res, target),
    onFault: (error) => onFault(error instanceof Error ? error : new Error(String(error))),
  });
  return {
    url: listener.url,
    port: listener.port,
    serve(options) {
      if (edge !== undefined) throw new Error("the gateway serves already");
      edge = new Edge({ ...options, public_url, allowed_origins, onFault });
      edge.start();
    },
    leave() {
      listener.leave();
      edge?.leave();
    },
    async close({ grace_ms }) {
      if (edge === undefined) await listener.close({ grace_ms });
      else await edge.close(listener, grace_ms);
    },
  };
}

/** How long the log may take to be told what was broken off, in ms; two seconds. */
const TELL_MS = 2_000;

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

const UPGRADE_REFUSED = problem(
  "upgrade_refused",
  "this route goes on in no other protocol; its operator can let it (upgrade: true)",
);

type EdgeParts = EdgeOptions &
  Pick<GatewayOptions, "public_url" | "onFault"> &
  Required<Pick<GatewayOptions, "allowed_origins">>;

class Edge {
  readonly #options: EdgeParts;
  readonly #routes: Routes;
  readonly #rpc: RpcHandler;
  readonly #services: ReadonlyMap<string, Service>;
  readonly #tickets: TicketResource;
  readonly #kept: KeptOptions;
  readonly #check: Check;
  /** Those of queues that no route leads to, which proxies ask about. */
  readonly #checked = new Map<string, PassQueue>();
  readonly #budgets = new RetryBudgets();
  readonly #queues = new Map<string, { lane: Lane; sending: Sending; defer: DeferQueue; pass: PassQueue }>();
  #dispatchers: Dispatcher[] = [];
  #leaving = false;

  constructor(options: EdgeParts) {
    const { replica, access, nodes, public_url, allowed_origins } = options;
    const bodies = new BodyReader({
      body_bytes: Math.max(...options.routes.map((route) => route.body_bytes)),
    });
    const requests = new Requests(replica);
    this.#options = options;
    this.#routes = new Routes(options.routes);
    this.#check = new Check({ routes: this.#routes, passQueue: (name) => this.#passQueue(name) });
    this.#rpc = createRpc(replica, access, { nodes, check: this.#check, public_url });
    this.#services = new Map(
      Object.entries(options.services).map(([name, { url }]) => [name, new Service(name, url)]),
    );
    const send = senderTo({ services: this.#services, public_url, onFault: options.onFault });
    this.#tickets = new TicketResource(replica, requests, public_url);
    this.#kept = { replica, access, routes: this.#routes, requests, public_url };
    for (const queue of new Set(options.routes.flatMap((route) => route.queue ?? []))) {
      const sending = new Sending({ replica, queue, requests, send, budgets: this.#budgets });
      const lane = new Lane(replica, queue, nodes, () => sending.notSentYet);
      const passOn: PassOn = (req, res, route, more) => this.#passOn(req, res, route, more);
      this.#queues.set(queue, {
        lane,
        sending,
        defer: new DeferQueue({ replica, access, lane, requests, bodies, passOn, public_url }),
        pass: new PassQueue({ replica, access, queue, passOn, public_url, allowed_origins }),
      });
    }
  }

  /** Begins to send what waits. */
  start(): void {
    this.#dispatchers = [...this.#queues.values()].map(
      ({ lane, sending }) => new Dispatcher(this.#options.replica, lane, sending),
    );
  }

  async handle(req: EdgeRequest, res: EdgeResponse, target: Target): Promise<void> {
    await observeRequest(req, res, target.path, () => this.#handle(req, res, target));
  }

  async #handle(req: EdgeRequest, res: EdgeResponse, target: Target): Promise<void> {
    if (this.#rpc.owns(target.path)) return this.#rpc.handle(req, res);
    if (target.path === KEYS_PATH) return answerKeys(this.#options.replica, req, res);
    if (target.path === REQUESTS_PATH) return answerKept(this.#kept, req, res);
    if (isExactly(target, CHECK_PATH)) return answerCheck(this.#check, this.#options, req, res, target);
    if (isExactly(target, WAIT_PATH)) return answerWait(this.#check, this.#options, req, res, target);
    if (target.path.startsWith(PREFIX)) return this.#tickets.handle(req, res, target);
    if (target.path === "/livez") return answerWell(res);
    if (target.path === "/readyz")
      return this.#options.replica.ready && !this.#leaving ? answerWell(res) : answerUnready(req, res);
    const route = this.#routes.find({ method: req.method ?? "", path: target.path, lines: req.rawHeaders });
    if (route === undefined) {
      answerProblem(
        req,
        res,
        problem("route_not_found", "no route in the configuration fits method and path"),
      );
      return;
    }
    observeRoute(req, route);
    if (upgradeOf(req) !== undefined && route.upgrade !== true)
      return answerProblem(req, res, UPGRADE_REFUSED);
    const queue = route.queue === undefined ? undefined : this.#queues.get(route.queue);
    if (queue === undefined) return this.#passOn(req, res, route);
    // Asked each time, for a queue may be made, or made known to this node, after the gateway began to serve.
    const kind = this.#options.replica.fold.queue(queue.lane.queue)?.settings.kind;
    await (kind === "pass" ? queue.pass : queue.defer).handle(req, res, target, route);
  }

  #passQueue(queue: string): PassQueue | undefined {
    const { replica, access, public_url, allowed_origins } = this.#options;
    if (replica.fold.queue(queue)?.settings.kind !== "pass") return undefined;
    const known = this.#queues.get(queue)?.pass ?? this.#checked.get(queue);
    if (known !== undefined) return known;
    const passOn: PassOn = this.#passOn.bind(this);
    const pass = new PassQueue({ replica, access, queue, passOn, public_url, allowed_origins });
    this.#checked.set(queue, pass);
    return pass;
  }

  leave(): void {
    this.#leaving = true;
  }

  /** Stops sending and listening together: what is being sent may still be answered to who holds the line. What is at
   * the services after the grace is broken off, and the log told so: then nobody has to wait for the claim to lapse. */
  async close(listener: Listener, grace_ms: number): Promise<void> {
    const stopped = Promise.all(this.#dispatchers.map((dispatcher) => dispatcher.stop()));
    await Promise.all([listener.close({ grace_ms }), Promise.race([stopped, after(grace_ms)])]);
    await Promise.all([...this.#services.values()].map((service) => service.close()));
    await Promise.race([stopped, after(TELL_MS)]);
  }

  async #passOn(
    req: EdgeRequest,
    res: EdgeResponse,
    route: Route,
    more?: Parameters<PassOn>[3],
  ): Promise<void> {
    const service = this.#services.get(route.service);
    if (service === undefined)
      throw new Error(`the route to ${route.path} names no service that is configured`);
    this.#budgets.of(route.service).sent(this.#options.replica.clock.monotonic_ms());
    const { timeout_ms, silence_ms } = route;
    const idempotent = isIdempotent(route, req.method ?? "");
    const outcome = await forward(req, res, { ...more, service, timeout_ms, silence_ms, idempotent });
    if ("error" in outcome) this.#options.onFault(new ServiceFault(service, outcome.kind));
  }
}
