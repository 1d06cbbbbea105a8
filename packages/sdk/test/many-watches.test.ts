// More watches than a server takes streams on one connection.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createClient } from "../src/index.ts";

const CONFIG = `
services: {}
queues: { concert: { kind: pass, limit: { max_active: 1000 }, max_wait: 1h, mode: paused } }
routes: []
`;

let usher: Usher;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
});

afterAll(() => usher?.stop());

/** Before a port: the connections that are open through it. */
async function door(port: number): Promise<{ readonly url: string; readonly open: ReadonlySet<Socket> }> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    open.add(client.on("close", () => open.delete(client)));
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}

it.each(["gateway", "native"] as const)(
  "300 watches over gRPC at the %s port hold up no call beside them",
  async (port) => {
    const { url, open } = await door(usher.ports[port]);
    using client = createClient({ baseUrl: url, apiKey: usher.apiKey });
    const tickets = await Promise.all(Array.from({ length: 300 }, () => client.issue("concert")));
    const failures: unknown[] = [];
    const heard = tickets.map(() => Promise.withResolvers<void>());
    const ended = Promise.allSettled(
      tickets.map(async (ticket, i) => {
        for await (const { state } of ticket.watch({ onRetry: (error) => failures.push(error) })) {
          heard[i]?.resolve();
          if (state === "admitted") return state;
        }
        return "ended without";
      }),
    );
    await Promise.all(heard.map(({ promise }) => promise));
    expect((await client.admit("concert", { count: 300 })).admitted).toBe(300);
    for (const end of await ended) expect(end).toEqual({ status: "fulfilled", value: "admitted" });
    expect(failures).toEqual([]);
    // Those that were there for the watches alone are gone.
    await eventually(async () => expect(open.size).toBe(1));
    expect((await client.queue("concert")).waiting).toBe(0);
  },
);

it("watches that are given up while their connections are made leave none behind", async () => {
  const { url, open } = await door(usher.ports.native);
  using client = createClient({ baseUrl: url, apiKey: usher.apiKey });
  const tickets = await Promise.all(Array.from({ length: 300 }, () => client.issue("concert")));
  const given = new AbortController();
  const ended = tickets.map((ticket) => ticket.admitted({ signal: given.signal }));
  setImmediate(() => given.abort());
  for (const end of await Promise.allSettled(ended)) expect(end).toMatchObject({ status: "rejected" });
  // Answered after whatever was begun before has connected.
  for (let asked = 0; asked < 20; asked++) await tickets[asked]?.refresh();
  await eventually(async () => expect(open.size).toBe(1));
});
