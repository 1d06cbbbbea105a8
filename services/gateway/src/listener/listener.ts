// The gateway's port: one for HTTP/1.1 and HTTP/2, under TLS or without it (h2c), one kind of handler for all.
//
//   listener.ts  the port: accepts, counts, hands requests over, closes
//   limits.ts    every limit, with unit and reason
//   bind.ts      taking the port, on one address or both of localhost
//   sniff.ts     which protocol a connection speaks
//   tls.ts       the certificate, and handshakes
//   http1.ts     Node's HTTP/1.1 server, hardened
//   http2.ts     Node's HTTP/2 server, hardened
//   exchange.ts  a request and its response, of either protocol
//   client.ts    who a request is from: address, scheme, host
//   forwarded.ts the header Forwarded, read and written
//   cors.ts      which pages of other origins may call
//   upgrade.ts   requests to go on in another protocol
//   door.ts      what is refused before any routing
//   target.ts    the target, and the one path that routes are matched against
//   respond.ts   answering whole, over either protocol
//   problem.ts   refusals that clients can read
//   lull.ts      a moment for closing things
//   linger.ts    answering a client that is still sending
//   body.ts      reading a body whole, bounded in bytes and time
//
// A connection is accepted, sniffed (under TLS: once more, when its handshake is done), and belongs to one of the two servers from then on. A request is counted,
// inspected at the door, and given to the handler, or refused with a problem.

import type { Socket } from "node:net";
import { BindError, bind, portOf } from "./bind.ts";
import { believe, type Provenance } from "./client.ts";
import type { Cors } from "./cors.ts";
import { inspect, isProblem, WHOLE_SERVER } from "./door.ts";
import { type EdgeRequest, type EdgeResponse, type Handler, isHttp1 } from "./exchange.ts";
import { createHttp1, refuseRaw } from "./http1.ts";
import { createHttp2 } from "./http2.ts";
import { LISTENER_LIMITS, type ListenerLimits } from "./limits.ts";
import { lull } from "./lull.ts";
import { answerProblem, problem } from "./problem.ts";
import { respond } from "./respond.ts";
import { type Protocol, sniff } from "./sniff.ts";
import { CertificateError, type TlsFiles, TlsPort } from "./tls.ts";

export { BindError, CertificateError, type TlsFiles };

/** How long connections on which nothing is under way stay open once no new ones are accepted, in ms; a second, in which
 * a client that asks all the time has asked again, and is told to go with the answer. */
const LAST_WORDS_MS = 1_000;

/** The same of connections that have not said a word yet, in ms; 2,000, for most clients open one to speak at once. */
const FIRST_WORDS_MS = 2_000;

/** For how long a lull is waited for, in ms, in which nothing is reset that has come and was not read; 250. */
const LULL_MS = 250;

export interface ListenOptions {
  /** The address to listen at; default `localhost`: 127.0.0.1, and ::1 where there is IPv6. `0.0.0.0` or `::` is
   * reachable from elsewhere. */
  readonly host?: string;
  /** 0: a free one. */
  readonly port: number;
  /** Speaks TLS, and nothing else; default: no TLS. */
  readonly tls?: TlsFiles | undefined;
  readonly handler: Handler;
  /** Who is believed of whom requests are; by default only the connection itself. */
  readonly provenance?: Provenance;
  /** Which pages may call from a browser; by default none of other origins. */
  readonly cors?: Cors;
  /** Told of what a handler threw; the client gets a 500 that does not say it. */
  readonly onFault: (error: unknown) => void;
  /** Lower limits, for tests. */
  readonly limits?: Partial<ListenerLimits>;
}

export interface Listener {
  readonly port: number;
  /** For people: where to find it. */
  readonly url: string;
  /** Connections that are open. */
  readonly connections: number;
  /** Requests that have begun and are not over. */
  readonly requests: number;
  /** Accepts and serves as before, but HTTP/1.1 connections end with their next answer. */
  leave(): void;
  /** Accepts nothing more, tells clients to go elsewhere, waits up to `grace_ms` for requests in flight, then cuts
   * them. Tells how many it cut. Streams that would not end by themselves have to be ended before, or by the grace. */
  close(options: { readonly grace_ms: number }): Promise<{ readonly cut: number }>;
}

/** Listens.
 * @throws BindError when the port cannot be taken, CertificateError when TLS cannot be spoken; the message says what to do */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host = "localhost", port, handler, provenance, cors, onFault } = options;
  const limits = { ...LISTENER_LIMITS, ...options.limits };
  // The certificate first, for what is wrong with it no other port mends.
  const tls =
    options.tls &&
    (await TlsPort.open(options.tls, limits, {
      onSecure: (socket) => listenTo(socket, (protocol) => serve(socket, protocol)),
      onFault,
    }));
  const servers = await bind(host, port).catch((error: unknown) => {
    tls?.close();
    throw error;
  });
  const sockets = new Set<Socket>();
  /** Of them, those that have not said a word: clients open such in advance. */
  const silent = new Set<Socket>();
  const requests = new Set<EdgeResponse>();
  /** Connections, since the beginning. */
  let accepted = 0;
  let leaving = false;
  let closing: Promise<{ cut: number }> | undefined;
  /** Connections that are idle from now on are closed. */
  let idleEnd = false;

  const deliver = (req: EdgeRequest, res: EdgeResponse): void => {
    requests.add(res);
    if (provenance !== undefined) believe(req, provenance);
    res.once("close", () => {
      requests.delete(res);
      if (idleEnd) http1.closeIdleConnections();
    });
    if (leaving && isHttp1(res)) res.shouldKeepAlive = false;
    void handle(req, res, requests.size > limits.requests);
  };

  const handle = async (req: EdgeRequest, res: EdgeResponse, full: boolean): Promise<void> => {
    try {
      cors?.mark(req, res);
      const target = full
        ? problem("overloaded", "this node has as many requests as it may", 1)
        : inspect(req);
      if (isProblem(target)) answerProblem(req, res, target);
      else if (target === WHOLE_SERVER) respond(res, 204, [], undefined);
      else if (!cors?.answerPreflight(req, res)) await handler(req, res, target);
    } catch (error) {
      onFault(error);
      answerProblem(req, res, problem("internal", "the server's own log tells more"));
    }
  };

  const http1 = createHttp1(limits, deliver);
  const http2 = createHttp2(limits, deliver);

  const accept = (socket: Socket): void => {
    accepted++;
    if (sockets.size >= limits.connections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    listenTo(socket, (protocol) => {
      if (tls === undefined) serve(socket, protocol);
      else if (protocol === "tls") tls.accept(socket);
      else refusePlain(socket, limits);
    });
  };

  /** Waits for a connection's first word. */
  const listenTo = (socket: Socket, found: (protocol: Protocol) => void): void => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
    sniff(socket, limits.first_byte_ms, (protocol) => {
      silent.delete(socket);
      found(protocol);
    });
  };

  const serve = (socket: Socket, protocol: Protocol): void => {
    // Node's HTTP/1.1 server ends its side itself; an HTTP/2 session would stay when its client has gone. What is
    // neither, HTTP/1.1's parser refuses in words.
    socket.allowHalfOpen = protocol !== "http2";
    (protocol === "http2" ? http2 : http1).emit("connection", socket);
  };

  for (const server of servers) server.on("connection", accept);

  const lastWords = async (): Promise<void> => {
    let waited_ms = 0;
    do {
      await after(LAST_WORDS_MS);
      waited_ms += LAST_WORDS_MS;
    } while (silent.size > 0 && waited_ms < FIRST_WORDS_MS);
    await lull(LULL_MS, () => accepted);
  };

  const leave = (): void => {
    leaving = true;
    for (const res of requests) if (isHttp1(res) && !res.headersSent) res.shouldKeepAlive = false;
  };

  const close = async (grace_ms: number): Promise<{ cut: number }> => {
    // Connections that wait to be accepted would be reset: so in a lull, and before clients are told to come anew.
    await lull(LULL_MS, () => accepted);
    const grace = after(grace_ms);
    const stopped = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    leave();
    // It has no port of its own: this says goodbye to HTTP/2 clients.
    http2.close();
    // A request that is on its way on a connection without any is served yet: it must not find the door shut.
    await Promise.race([Promise.all(stopped), grace, lastWords()]);
    idleEnd = true;
    http1.close();
    http2.close();
    tls?.close();
    for (const socket of silent) socket.destroy();
    const cut = await Promise.race([Promise.all(stopped).then(() => 0), grace.then(() => requests.size)]);
    const gone = [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all([...stopped, ...gone]);
    return { cut };
  };

  const boundPort = portOf(servers[0]!);
  return {
    port: boundPort,
    url: `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    get connections() {
      return sockets.size;
    },
    get requests() {
      return requests.size;
    },
    leave,
    close({ grace_ms }) {
      closing ??= close(grace_ms);
      return closing;
    },
  };
}

/** Tells whoever speaks plainly to a port that speaks TLS. */
function refusePlain(socket: Socket, limits: ListenerLimits): void {
  refuseRaw(socket, problem("tls_required", "say https:// instead of http://"), limits);
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
