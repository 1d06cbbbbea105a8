// Requests to go on in another protocol (RFC 9110, 7.8), such as WebSocket's. Whether one may is its route's to say; until
// then it is a request like others, and is answered like them.

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { EdgeRequest } from "./exchange.ts";
import type { ListenerLimits } from "./limits.ts";

export interface Upgrade {
  /** Such as `websocket`. */
  readonly protocol: string;
  readonly socket: Duplex;
  /** What came after the request's head. */
  readonly rest: Buffer;
}

const upgrades = new WeakMap<EdgeRequest, Upgrade>();

/** The wish of a request to go on in another protocol, if it has one that could be granted. */
export function upgradeOf(req: EdgeRequest): Upgrade | undefined {
  return upgrades.get(req);
}

/** Whether HTTP could end with the request's head. An offer of h2c may be ignored, and is; what comes with a body, or in
 * HTTP/1.0, is no upgrade that anybody agrees on, and is refused at the door. */
export function asksForUpgrade({ method, httpVersion, headers }: IncomingMessage): boolean {
  if (method !== "GET" || httpVersion === "1.0") return false;
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) return false;
  return /^(?!h2c$)[!#$%&'*+.^_`|~0-9a-z/-]+$/i.test(headers.upgrade ?? "");
}

/** The response to such a request, on the bare socket that Node hands over; the connection ends with it. */
export function upgradeResponse(
  req: IncomingMessage,
  socket: Duplex,
  rest: Buffer,
  limits: ListenerLimits,
): ServerResponse {
  upgrades.set(req, { protocol: req.headers.upgrade ?? "", socket, rest });
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  // Node's server listens to the socket no more.
  socket.on("error", () => socket.destroy());
  socket.on("drain", () => res.emit("drain"));
  req.socket.setTimeout(limits.stalled_ms, () => {
    if (socket.writableLength > 0) socket.destroy();
  });
  res.assignSocket(req.socket);
  res.once("finish", () => {
    socket.resume().end();
    const timer = setTimeout(() => socket.destroy(), limits.linger_ms);
    socket.once("end", () => socket.destroy()).once("close", () => clearTimeout(timer));
  });
  return res;
}
