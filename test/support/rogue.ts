// A service that does with its connections what the test says: answers garbage, breaks off, hangs, is not there.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export interface RogueRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: string;
}

/** What becomes of a request; over when it returns, or resolves. */
export type Conduct = (socket: Socket, request: RogueRequest) => void | Promise<void>;

export interface Rogue {
  readonly url: string;
  /** Every request that came whole, in order. */
  readonly seen: readonly RogueRequest[];
  /** Requests that are not over, and whose connection is open. */
  readonly inFlight: number;
  /** The most that there were at once. */
  readonly mostInFlight: number;
  conduct: Conduct;
  /** Closes its port, and every connection. */
  leave(): Promise<void>;
  /** Opens the same port again. */
  comeBack(): Promise<void>;
}

/** Answers with what was sent. */
export const sound: Conduct = (socket, { body }) => {
  socket.write(response(200, `done: ${body}`));
};

/** Never answers. */
export const hang: Conduct = () => new Promise(() => undefined);

/** An answer, as bytes; `headers`: further lines. */
export function response(status: number, body: string, ...headers: string[]): string {
  const lines = [`HTTP/1.1 ${status} Such`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

export interface OneSlotEach {
  /** How often a stored request is sent, at most. */
  readonly attempts: number;
  /** How long somebody who has to wait is held, such as "0s". */
  readonly hold: string;
  /** Each route's match, queue, and what else it says. */
  readonly routes: readonly (readonly [match: string, queue: "fast" | "orders", more?: string])[];
}

/** An `usher.yaml` before that service, with one slot in each of two queues: whoever comes to `orders` waits, and who
 * comes to `fast` only if the slot is taken. */
export function oneSlotEach({ url }: Rogue, { attempts, hold, routes }: OneSlotEach): string {
  const lines = routes.map(
    ([match, queue, more]) =>
      `  - { match: ${match}, service: shop, queue: ${queue}, hold: ${hold}${more === undefined ? "" : `, ${more}`} }`,
  );
  return `
services: { shop: { url: ${url} } }
queues:
  fast:   { kind: defer, limit: { max_active: 1 }, max_wait: 10m }
  orders: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 10m, attempts: ${attempts} }
routes:
${lines.join("\n")}
`;
}

/** Starts, soundly, on a free port. */
export async function startRogue(): Promise<Rogue> {
  const seen: RogueRequest[] = [];
  const sockets = new Set<Socket>();
  let inFlight = 0;
  let mostInFlight = 0;

  const take = async (socket: Socket, request: RogueRequest): Promise<void> => {
    seen.push(request);
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await Promise.race([closed, rogue.conduct(socket, request)]);
    inFlight--;
  };

  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket)).on("error", () => undefined);
    let bytes = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      bytes += text;
      for (let parsed = parse(bytes); parsed !== undefined; parsed = parse(bytes)) {
        bytes = parsed.rest;
        void take(socket, parsed.request);
      }
    });
  };

  let server: Server | undefined;
  const open = async (port: number): Promise<number> => {
    server = createServer(accept).listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const port = await open(0);

  const rogue: Rogue = {
    url: `http://127.0.0.1:${port}`,
    seen,
    get inFlight() {
      return inFlight;
    },
    get mostInFlight() {
      return mostInFlight;
    },
    conduct: sound,
    async leave() {
      if (server?.listening !== true) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async comeBack() {
      await open(port);
    },
  };
  return rogue;
}

/** The first request in these bytes, once it is whole. */
function parse(bytes: string): { request: RogueRequest; rest: string } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
  const from = end + 4;
  const to = from + Number(headers.get("content-length") ?? 0);
  if (bytes.length < to) return undefined;
  return { request: { method, target, headers, body: bytes.slice(from, to) }, rest: bytes.slice(to) };
}
