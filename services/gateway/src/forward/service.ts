// A service that requests are sent on to: its address, and the connections to it.

import { isIP } from "node:net";
import { buildConnector, Client, type Dispatcher, Pool } from "undici";
import { SERVICE_LIMITS, type ServiceLimits } from "./limits.ts";

/** A request as it is sent. */
export interface Outgoing {
  readonly method: string;
  readonly target: string;
  /** Flat, `host` among them, without what `undici` sets itself: length apart, nothing of the connection. */
  readonly headers: string[];
  readonly body: Dispatcher.DispatchOptions["body"];
  /** The protocol to go on in, if the service agrees. */
  readonly upgrade?: string | undefined;
  /** On a connection of its own, which is new, and closed afterwards. */
  readonly fresh?: boolean;
}

/** Why a service cannot be what the configuration says. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
}

/** Told to the operator when a service fails a request; the same words each time, so that they can be counted. */
export class ServiceFault extends Error {
  override readonly name = "ServiceFault";

  constructor(service: Service, kind: "not_connected" | "lost" | "timed_out") {
    super(`service ${service.name} (${service.origin}) ${FAULTS[kind]}`);
  }
}

const FAULTS = {
  not_connected: "cannot be reached",
  lost: "broke off before it had answered",
  timed_out: "did not answer in time",
} as const;

export class Service {
  readonly name: string;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly limits: ServiceLimits;
  readonly #hostname: string;
  readonly #options: Client.Options;
  readonly #pool: Pool;
  /** With a connection each, for one request. */
  readonly #clients = new Set<Client>();
  #inFlight = 0;
  #resetting = false;

  /** `url`: scheme, host and port, nothing after them.
   * @throws ServiceError */
  constructor(name: string, url: string, limits: Partial<ServiceLimits> = {}) {
    this.name = name;
    this.limits = { ...SERVICE_LIMITS, ...limits };
    const { origin, hostname } = parseOrigin(name, url);
    this.origin = origin;
    this.#hostname = hostname.replace(/^\[(.*)\]$/, "$1");
    this.#options = {
      connect: this.#connector(),
      // One request a connection at a time: with more, undici sends those behind a broken one again by itself.
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: this.limits.keep_alive_ms,
      keepAliveMaxTimeout: this.limits.keep_alive_most_ms,
      maxHeaderSize: this.limits.header_bytes,
      // `Call` keeps time itself, to the millisecond.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool = new Pool(origin, { ...this.#options, connections: this.limits.connections });
  }

  /** Requests that are at the service, or on their way to it. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether a connection is just being reset: an answer that ends by that did not end, it broke. */
  get resetting(): boolean {
    return this.#resetting;
  }

  get full(): boolean {
    return this.#inFlight >= this.limits.connections;
  }

  /** Sends. Of `onResponseEnd` and `onResponseError`, the handler hears one, once, and then calls `over`. */
  dispatch(request: Outgoing, handler: Dispatcher.DispatchHandler): void {
    const { method, target, headers, body, upgrade, fresh } = request;
    // By default, undici would ask TLS for whatever host the client named.
    const options: Dispatcher.DispatchOptions & { servername: string } = {
      ...{ method, path: target, headers, body, servername: this.#hostname },
      ...(upgrade !== undefined && { upgrade }),
    };
    this.#inFlight += 1;
    if (fresh === true) this.#onNew(options, handler);
    else this.#pool.dispatch(options, handler);
  }

  #onNew(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    const client = new Client(this.origin, this.#options);
    this.#clients.add(client);
    client.dispatch({ ...options, reset: true }, handler);
    void client.close().finally(() => this.#clients.delete(client));
  }

  over(): void {
    this.#inFlight -= 1;
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await Promise.all([this.#pool, ...this.#clients].map((client) => client.destroy()));
  }

  #connector(): buildConnector.connector {
    const connect = buildConnector({ allowH2: false, timeout: this.limits.connect_ms });
    const servername = isIP(this.#hostname) === 0 ? this.#hostname : undefined;
    return (options, callback) =>
      connect({ ...options, servername }, (...args) => {
        // Before undici's own listener, which ends an answer on a reset as if it had been closed in order.
        args[1]?.on("error", () => this.#noteReset());
        callback(...args);
      });
  }

  /** For as long as undici handles the error. */
  #noteReset(): void {
    this.#resetting = true;
    queueMicrotask(() => {
      this.#resetting = false;
    });
  }
}

function parseOrigin(name: string, url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new ServiceError(`service ${name}: ${url} is not an address such as http://localhost:3000`);
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.hash !== "" || parsed.username !== "")
    throw new ServiceError(`service ${name}: ${url} may have a scheme, a host and a port, and nothing else`);
  return parsed;
}
