// Taking a port, on one address or on both of `localhost`.

import { createServer, type Server } from "node:net";
import { LISTENER_LIMITS } from "./limits.ts";

/** Why a port could not be taken; the message names it and says what to do. */
export class BindError extends Error {
  override readonly name = "BindError";
  readonly code: "port_in_use" | "port_forbidden" | "address_unavailable" | "failed";

  constructor(code: BindError["code"], message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Whichever port is free on the first address may be taken on the second: how often another is tried; 10. */
const FREE_PORT_TRIES = 10;

/** Servers that listen at `host` and `port`: two for `localhost` where there is IPv6, else one. Port 0: a free one,
 * the same for both.
 * @throws BindError */
export async function bind(host: string, port: number): Promise<readonly Server[]> {
  if (host !== "localhost") return [await listenAt(host, port)];
  for (let tries = 1; ; tries += 1) {
    const first = await listenAt("127.0.0.1", port);
    try {
      return [first, await listenAt("::1", portOf(first))];
    } catch (error) {
      if (!(error instanceof BindError)) throw error;
      if (error.code === "address_unavailable") return [first];
      await new Promise((resolve) => first.close(resolve));
      if (port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

export function portOf(server: Server): number {
  const address = server.address();
  return address === null || typeof address === "string" ? 0 : address.port;
}

function listenAt(host: string, port: number): Promise<Server> {
  // Half-open, as Node's own HTTP server has it: a client that ends its side may still be answered.
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: LISTENER_LIMITS.probe_ms,
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen({ host, port, backlog: LISTENER_LIMITS.backlog, exclusive: true }, () => resolve(server));
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): BindError {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  switch (error.code) {
    case "EADDRINUSE": {
      const text = `port ${port} is in use at ${where}: stop the program that has it, or choose another port`;
      return new BindError("port_in_use", text, error);
    }
    case "EACCES": {
      const text = `port ${port} may not be taken at ${where}: ports below 1024 are for privileged programs; choose a higher one`;
      return new BindError("port_forbidden", text, error);
    }
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "ENOTFOUND": {
      const text = `${where} is no address of this machine (${error.code}): choose one that is, or localhost`;
      return new BindError("address_unavailable", text, error);
    }
    default:
      return new BindError("failed", `cannot listen at ${where}: ${error.message}`, error);
  }
}
