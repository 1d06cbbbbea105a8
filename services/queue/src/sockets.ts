// Sockets: the listening and the connections, which grpc-js is handed one by one. Its own binding takes half an
// address for a success and prints the rest to the console.

import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** The listener could not take its address. The message says which, and what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** Node's code, such as EADDRINUSE. */
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface Listening {
  readonly port: number;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Takes no more connections. Those that are there stay. */
  stop(): void;
}

/** Listens on every address of `host` ("localhost" mostly has two), with one port for all; 0: any that is free.
 * `connections` is the most at once, over all addresses; one more is closed as it comes. */
export async function listen(
  host: string,
  port: number,
  connections: number,
  accept: (socket: Socket) => void,
): Promise<Listening> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const onConnection = (socket: Socket): void => {
    if (sockets.size >= connections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    accept(socket);
  };
  const stop = (): void => {
    for (const server of servers) {
      server.close();
    }
  };
  let bound = port;
  try {
    for (const address of await addressesOf(host)) {
      const server = createServer({ noDelay: true }, onConnection).listen({ host: address, port: bound });
      try {
        await once(server, "listening");
      } catch (error) {
        // A machine without IPv6 may still have ::1 in its hosts file.
        if (servers.length > 0 && isNodeError(error) && UNAVAILABLE.has(error.code)) {
          continue;
        }
        throw error;
      }
      servers.push(server);
      bound = portOf(server);
    }
  } catch (error) {
    stop();
    throw explain(error, host, bound);
  }
  return { port: bound, sockets, stop };
}

const UNAVAILABLE = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** IPv4 first: a system without IPv6 must not fail on its first address. */
async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, order: "ipv4first" });
  return [...new Set(found.map(({ address }) => address))];
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("a TCP server without a port");
  }
  return address.port;
}

function explain(error: unknown, host: string, port: number): unknown {
  if (!isNodeError(error)) {
    return error;
  }
  const where = `${host}:${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError(
        error.code,
        `port ${port} on ${host} is in use by another program: stop it, or give the native gRPC listener another port`,
        error,
      );
    case "EACCES":
      return new ListenError(
        error.code,
        `port ${port} on ${host} may not be opened by this user: choose one from 1024 on for the native gRPC listener`,
        error,
      );
    default:
      return new ListenError(
        error.code,
        `the native gRPC listener cannot listen on ${where}: ${error.message}`,
        error,
      );
  }
}

function isNodeError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
