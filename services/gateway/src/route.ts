// Which requests go where: the first route whose method and path fit counts.

/** The part of a path after which anything may follow. */
const WILDCARD = "*";

export interface Route {
  /** Absent: every method. */
  readonly method?: string;
  /** A path, with or without a `*` at its end, which stands for anything. */
  readonly path: string;
  /** The name of a service. */
  readonly service: string;
  /** The name of a queue; absent: straight through, always. */
  readonly queue?: string;
  /** How long a request that has to wait is held open before it is answered 202, in ms. */
  readonly hold_ms: number;
  /** How long the service may take for a whole answer, in ms. */
  readonly timeout_ms: number;
  /** Whether a request may be sent again though it may have been carried out. Safe methods always may. */
  readonly idempotent: boolean;
  /** The largest body that is stored, in bytes. */
  readonly body_bytes: number;
  /** The largest response that is stored, in bytes. */
  readonly response_bytes: number;
}

/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class Routes {
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
  }

  /** `path`: decoded and unambiguous, as the door leaves it. */
  find(method: string, path: string): Route | undefined {
    return this.#routes.find((route) => fits(route, method, path));
  }
}

/** Whether sending a request a second time does no harm. */
export function isIdempotent(route: Route, method: string): boolean {
  return route.idempotent || SAFE_METHODS.has(method);
}

function fits(route: Route, method: string, path: string): boolean {
  if (route.method !== undefined && route.method !== method) return false;
  if (!route.path.endsWith(WILDCARD)) return path === route.path;
  const prefix = route.path.slice(0, -WILDCARD.length);
  // `/checkout/*` is also `/checkout`, for nobody who writes it means that one to be open.
  return path.startsWith(prefix) || (prefix.endsWith("/") && path === prefix.slice(0, -1));
}
