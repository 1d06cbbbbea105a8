// Something else than an Usher that listens, with real sockets, for the time of a test.

import type { AddressInfo, Server, Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Lets it listen on a free port, and returns that. At the test's end it is closed, with all that is connected. */
export async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  const note = (socket: Socket): void => {
    sockets.add(socket);
    // Whoever is turned away does so in ways of their own.
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  };
  server.on("connection", note);
  await new Promise<void>((bound) => server.listen(0, "127.0.0.1", bound));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  return (server.address() as AddressInfo).port;
}

/** A port where nobody listens: one that was free a moment ago. */
export async function deserted(server: Server): Promise<number> {
  await new Promise<void>((bound) => server.listen(0, "127.0.0.1", bound));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
