// Services that requests are sent on to: well-behaved ones, and ones that do with their sockets what they like.

import { once } from "node:events";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { type ForwardOptions, type ForwardOutcome, forward } from "../../src/forward/forward.ts";
import type { ServiceLimits } from "../../src/forward/limits.ts";
import { Service } from "../../src/forward/service.ts";
import type { Handler } from "../../src/listener/exchange.ts";
import type { ListenOptions } from "../../src/listener/listener.ts";
import { type Edge, openEdge } from "./edge.ts";

export async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A node:http server; its port. */
export async function openHttp(listener: RequestListener): Promise<number> {
  const server = createHttp(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return portOf(server);
}

export interface RawService {
  readonly port: number;
  /** Connections so far. */
  readonly connections: Socket[];
  /** What came on each of them, one char a byte. */
  readonly received: string[];
}

/** A TCP server that calls `act` with every connection, at once, and with all it has received, after each piece. */
export async function openRaw(
  act: (socket: Socket, received: string, nth: number) => void,
): Promise<RawService> {
  const connections: Socket[] = [];
  const received: string[] = [];
  const server = createServer((socket) => {
    const nth = connections.push(socket) - 1;
    received[nth] = "";
    socket.on("error", () => undefined);
    socket.setEncoding("latin1").on("data", (text: string) => {
      received[nth] += text;
      act(socket, received[nth]!, nth);
    });
    act(socket, "", nth);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { port: await portOf(server), connections, received };
}

/** A raw service that answers every request without a body with these bytes. */
export function openAnswering(
  bytes: string,
  then: (socket: Socket) => void = () => undefined,
): Promise<RawService> {
  return openRaw((socket, received) => {
    if (received.endsWith("\r\n\r\n")) socket.write(bytes, "latin1", () => then(socket));
  });
}

/** A port that nobody listens at. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  const port = await portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

export function openService(port: number, limits: Partial<ServiceLimits> = {}): Service {
  const service = new Service("shop", `http://127.0.0.1:${port}`, limits);
  onTestFinished(() => service.close());
  return service;
}

export interface Forwarding extends Edge {
  readonly service: Service;
  /** What became of each request, in the order of their ends. */
  readonly outcomes: ForwardOutcome[];
}

/** An edge that forwards everything to a service. */
export async function openForwarding(
  port: number,
  options: Partial<ForwardOptions> & {
    readonly limits?: Partial<ServiceLimits>;
    /** Of the listener. */
    readonly listen?: Partial<ListenOptions>;
  } = {},
): Promise<Forwarding> {
  const service = openService(port, options.limits);
  const outcomes: ForwardOutcome[] = [];
  const handler: Handler = async (req, res) => {
    outcomes.push(await forward(req, res, { timeout_ms: 20_000, ...options, service }));
  };
  const edge = await openEdge(handler, {}, options.listen);
  return Object.create(edge, { service: { value: service }, outcomes: { value: outcomes } });
}

/** Lets the loop turn until it holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}
