// A connection that goes on in another protocol: bytes both ways, for as long as both ends are there.

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Lines, lineOf } from "../listener/exchange.ts";
import { LISTENER_LIMITS } from "../listener/limits.ts";
import type { Upgrade } from "../listener/upgrade.ts";

/** Tells the client that its service has agreed. `lines`: the service's own, those of its connection left out;
 * `protocol`: what it goes on in. */
export function agree(client: Upgrade, protocol: string | undefined, lines: Lines): void {
  const head = ["HTTP/1.1 101 Switching Protocols", "connection: upgrade"];
  head.push(`upgrade: ${protocol ?? client.protocol}`);
  for (let i = 0; i + 1 < lines.length; i += 2) head.push(`${lines[i]}: ${lines[i + 1]}`);
  client.socket.write(`${head.join("\r\n")}\r\n\r\n`, "latin1");
}

/** The protocol that a service's answer names. */
export function protocolOf(lines: Lines): string | undefined {
  return lineOf(lines, "upgrade");
}

/** Joins the two ends, each no faster than the other takes it. When one ends its side the other is told; when one
 * breaks, or nothing has come either way for `silence_ms` milliseconds, both are closed. What a service said before it
 * ended in order still goes to the client, as long as that takes it. Resolves when both are closed. */
export function join(client: Upgrade, service: Socket, silence_ms: number): Promise<void> {
  const { socket, rest } = client;
  service.setTimeout(silence_ms, () => service.destroy());
  service.on("error", () => service.destroy());
  if (rest.length > 0) service.write(rest);
  const closed = [socket, service].map((end) => new Promise<void>((resolve) => end.once("close", resolve)));
  socket.once("close", () => service.destroy());
  service.pipe(socket);
  socket.pipe(service);
  // After the pipes', which let go of the client then.
  service.once("close", () => (service.readableEnded ? closeInOrder(socket) : socket.destroy()));
  return Promise.all(closed).then(() => undefined);
}

/** Closes a client's end, whose side has been ended, when all that was written has been sent, and the client has ended
 * its own or has had `linger_ms` for it: closed on unread data, it would lose what it has not read. One that takes
 * nothing for `stalled_ms` is cut by the listener. */
function closeInOrder(socket: Duplex): void {
  const linger = (): void => {
    if (socket.readableEnded) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LISTENER_LIMITS.linger_ms);
    socket.once("end", () => socket.destroy()).once("close", () => clearTimeout(timer));
  };
  socket.resume();
  if (socket.writableFinished) linger();
  else socket.once("finish", linger);
}
