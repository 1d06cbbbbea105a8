// Node's HTTP/1.1 server, hardened, fed with connections that others have accepted.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { EdgeRequest, EdgeResponse } from "./exchange.ts";
import type { ListenerLimits } from "./limits.ts";
import { type Problem, problem, render } from "./problem.ts";
import { asksForUpgrade, upgradeResponse } from "./upgrade.ts";

type Deliver = (req: EdgeRequest, res: EdgeResponse) => void;

export function createHttp1(limits: ListenerLimits, deliver: Deliver): Server {
  const server = createServer({
    headersTimeout: limits.headers_ms,
    requestTimeout: limits.request_ms,
    connectionsCheckingInterval: limits.check_ms,
    keepAliveTimeout: limits.keep_alive_ms,
    maxHeaderSize: limits.header_bytes,
    // The door refuses it, in words.
    requireHostHeader: false,
    shouldUpgradeCallback: asksForUpgrade,
  });
  const open = new OpenResponses();
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    open.add(req.socket, res);
    deliver(req, res);
  };
  server.on("request", onRequest);
  // Because somebody listens, Node leaves it to `letBodyCome` to call for the body.
  server.on("checkContinue", onRequest);
  server.on("checkExpectation", onRequest);
  server.on("upgrade", (req, socket, rest) => {
    // While answers are owed to requests before it, the connection is not its own.
    if (open.count(socket) > 0) socket.destroy();
    else onRequest(req, upgradeResponse(req, socket, rest, limits));
  });
  server.on("connect", (_req, socket) =>
    refuseRaw(socket, problem("method_refused", "CONNECT does not go through a waiting room"), limits),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (told.has(socket)) return;
    // Once anything has been answered, what is told now could be taken for a part of it.
    if (socket.writable && !open.begun(socket)) refuseRaw(socket, explain(error, limits), limits);
    // Not at once: a refusal that was written in this very turn, of a request whose coding cannot be parsed, is still here.
    else setImmediate(() => socket.destroy());
  });
  server.setTimeout(limits.stalled_ms, (socket) => {
    // Silent, and either between two requests or with bytes ready that the client does not take. Else the silence is
    // ours: a request that is being held, or a service that takes its time.
    if (open.count(socket) === 0 || socket.writableLength > 0) socket.destroy();
  });

  // Node looks after its time-outs only in a server that listens; this one never does, so it is told that it does.
  server.emit("listening");
  return server;
}

/** The responses that each connection owes: more than one when its client does not wait for them. */
class OpenResponses {
  readonly #open = new WeakMap<Duplex, Set<ServerResponse>>();

  add(socket: Duplex, res: ServerResponse): void {
    const responses = this.#open.get(socket) ?? new Set();
    this.#open.set(socket, responses.add(res));
    res.once("close", () => responses.delete(res));
  }

  count(socket: Duplex): number {
    return this.#open.get(socket)?.size ?? 0;
  }

  /** Whether an answer is under way, or will be when the one before it ends. */
  begun(socket: Duplex): boolean {
    const responses = [...(this.#open.get(socket) ?? [])];
    return responses.length > 1 || responses.some((res) => res.headersSent);
  }
}

/** Sockets that have been told what is wrong with them: their parser complains again at every further byte. */
const told = new WeakSet<Duplex>();

function explain(error: NodeJS.ErrnoException, limits: ListenerLimits): Problem {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return problem("headers_too_large", `request line and headers may have ${limits.header_bytes} bytes`);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return problem("body_too_large", "the chunk extensions are too large");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem(
        "request_too_slow",
        `headers have ${limits.headers_ms} ms to arrive, a whole request ${limits.request_ms} ms`,
      );
    default:
      return problem("request_malformed", `it cannot be parsed (${error.code ?? "unknown"})`);
  }
}

/** Answers on a bare socket, then closes it, when the client does or a little later. */
export function refuseRaw(socket: Duplex, problem: Problem, limits: ListenerLimits): void {
  told.add(socket);
  const { headers, body } = render(problem);
  let head = `HTTP/1.1 ${problem.status} ${problem.title}\r\nconnection: close\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  socket.end(Buffer.concat([Buffer.from(`${head}\r\n`), body]));
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), limits.linger_ms);
  socket.once("close", () => clearTimeout(timer)).once("end", () => socket.destroy());
  socket.on("error", () => socket.destroy());
}
