// Which connection a call is sent on, and whether it was used before: undici tells it on a diagnostics channel alone, in
// the same turn in which it begins the request.

import { subscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";

/** Connections that have carried a request. */
const used = new WeakSet<Socket>();

/** Told of the connection of the request that is just being begun. */
let listener: ((reused: boolean) => void) | undefined;

subscribe("undici:client:sendHeaders", (message) => {
  const socket =
    typeof message === "object" && message !== null && "socket" in message ? message.socket : undefined;
  if (!(socket instanceof Socket)) return;
  listener?.(used.has(socket));
  listener = undefined;
  used.add(socket);
});

/** To be called when undici begins a request. `tell` learns whether its connection was used before, unless nothing of the
 * request is sent. */
export function onConnection(tell: (reused: boolean) => void): void {
  listener = tell;
}
