// A connection that goes on in another protocol: bytes both ways, for as long as both ends are there.

import type { Socket } from "node:net";
import { type Lines, lineOf } from "../listener/exchange.ts";
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
 * breaks, or nothing has come either way for `silence_ms` milliseconds, both are closed. Resolves when both are. */
export function join(client: Upgrade, service: Socket, silence_ms: number): Promise<void> {
  const { socket, rest } = client;
  service.setTimeout(silence_ms, () => service.destroy());
  service.on("error", () => service.destroy());
  if (rest.length > 0) service.write(rest);
  const closed = [socket, service].map((end) => new Promise<void>((resolve) => end.once("close", resolve)));
  socket.once("close", () => service.destroy());
  service.once("close", () => socket.destroy());
  service.pipe(socket);
  socket.pipe(service);
  return Promise.all(closed).then(() => undefined);
}
