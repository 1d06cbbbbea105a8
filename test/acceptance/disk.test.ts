// A disk that takes no more: tickets are refused in words, and everything that needs none goes on; when there is room
// again, so do tickets, and no number was lost or given twice.

import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { backendOf, NATIVE, type QueueClient, refusalOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { startService } from "../support/service.ts";
import { limitedDisk, mayLimit, mayMount, mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { runUsher, startUsher, type Usher } from "../support/usher.ts";

const MiB = 1_024 * 1_024;

const config = (shop: string): string => `
services: { shop: { url: ${shop} } }
queues:
  line:   { kind: defer, mode: paused, limit: { max_active: 10 }, max_wait: 1h }
  orders: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 1h }
  fast:   { kind: defer, limit: { max_active: 5 }, max_wait: 1h }
routes:
  - { match: /line, service: shop, queue: line, hold: 0s }
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /fast, service: shop, queue: fast, hold: 0s }
`;

/** What is refused while the log takes nothing. */
const REFUSED = { code: "Unavailable", reason: "LOG_UNAVAILABLE" };

/** Takes tickets until one is refused: what little room is left may hold some more. */
async function takeUntilRefused(line: Ledger): Promise<void> {
  for (;;) {
    const error = await line.takeNext().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) continue;
    expect(await refusalOf(Promise.reject(error))).toMatchObject(REFUSED);
    return;
  }
}

const DISKS: readonly (readonly [string, boolean, () => Promise<SmallDisk>])[] = [
  ["that is full", mayMount(), () => mountSmallDisk(6 * MiB)],
  ["on which no file may grow", mayLimit(), limitedDisk],
];

for (const [what, possible, make] of DISKS) {
  describe.skipIf(!possible)(`on a disk ${what}`, () => {
    async function start(): Promise<{
      disk: SmallDisk;
      shop: Awaited<ReturnType<typeof startService>>;
      usher: Usher;
      client: QueueClient;
      line: Ledger;
    }> {
      const disk = await make();
      onTestFinished(() => disk[Symbol.asyncDispose]());
      const shop = await startService();
      onTestFinished(() => shop.stop());
      const usher = await startUsher({ config: config(shop.url), data: join(disk.directory, "data") });
      onTestFinished(() => usher.stop());
      const client = backendOf(usher);
      const line = new Ledger(client, "line");
      for (let n = 0; n < 5; n++) await line.takeNext();
      return { disk, shop, usher, client, line };
    }

    const post = (usher: Usher, path: string, body = "{}") =>
      fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body, redirect: "manual" });

    test("tickets are refused with a hint when to come again, places are told, and the fast path flows", async () => {
      const { disk, shop, usher, client, line } = await start();
      const { token } = await line.takeNext();
      await disk.fill(usher.pid);
      await takeUntilRefused(line);

      for (const caller of [client, backendOf(usher, NATIVE)]) {
        const refused = await refusalOf(caller.issue({ queue: "line" }));
        expect(refused).toMatchObject(REFUSED);
        expect(refused.retry_ms).toBeGreaterThan(0);
        expect(refused.message).not.toContain(disk.directory);
        expect(await refusalOf(caller.leave({ token }))).toMatchObject(REFUSED);
        const admit = { queue: "line", requestId: "1", who: { case: "count", value: 1 } } as const;
        expect(await refusalOf(caller.admit(admit))).toMatchObject(REFUSED);
        expect((await caller.getTicket({ token })).status?.ticket).toMatchObject({ number: 6, position: 6 });
      }
      for (const path of ["/line", "/orders"]) {
        const res = await post(usher, path);
        expect(res.status).toBe(503);
        expect(res.headers.get("retry-after")).toBe("1");
        expect(await res.json()).toMatchObject({ type: "urn:usher:problem:log_unavailable" });
      }
      for (let n = 0; n < 20; n++) {
        const res = await post(usher, "/fast", `${n}`);
        expect([res.status, res.headers.get("usher-ticket")]).toEqual([200, null]);
        await res.body?.cancel();
      }
      expect(shop.seen.map(({ target }) => target)).toEqual(Array(20).fill("/fast"));
      expect(usher.output()).toContain(join(disk.directory, "data"));
      expect(usher.output()).not.toMatch(/^\s+at /m);
    });

    test("and has room again, tickets go on where they were, and nothing has been lost", async () => {
      const { disk, usher, client, line } = await start();
      const key = { queue: "line", idempotencyKey: "asked for while there was no room" };
      await disk.fill(usher.pid);
      await takeUntilRefused(line);
      expect(await refusalOf(client.issue(key))).toMatchObject(REFUSED);
      await line.check();

      await disk.makeRoom(usher.pid);
      const issued = await eventually(() => client.issue(key));
      line.note(issued.status?.ticket?.number, issued.token);
      expect(issued.existing).toBe(false);
      expect((await client.issue(key)).existing).toBe(true);
      for (let n = 0; n < 5; n++) await line.takeNext();
      await line.check();

      await usher.kill();
      const again = await startUsher({
        config: config("http://127.0.0.1:9"),
        data: usher.data,
        ports: usher.ports,
      });
      onTestFinished(() => again.stop());
      await line.takeNext();
      await line.check();
    });

    test("and killed there, the node comes back with every ticket that it gave", async () => {
      const { disk, shop, usher, line } = await start();
      await disk.fill(usher.pid);
      await takeUntilRefused(line);
      await usher.kill();
      await disk.makeRoom(usher.pid).catch(() => undefined);
      const again = await startUsher({ config: config(shop.url), data: usher.data, ports: usher.ports });
      onTestFinished(() => again.stop());
      await line.check();
      await line.takeNext();
    });

    test("what the service answered meanwhile is not lost, and whoever waits is served after it", async () => {
      const { disk, shop, usher, line } = await start();
      const answered = Promise.withResolvers<void>();
      shop.answer = async (res, { body }) => {
        if (body === "first") await answered.promise;
        res.end(`done: ${body}`);
      };
      const tickets = [await post(usher, "/orders", "first"), await post(usher, "/orders", "second")];
      expect(tickets.map(({ status }) => status)).toEqual([202, 202]);
      await eventually(() => expect(shop.inFlight).toBe(1));

      await disk.fill(usher.pid);
      await takeUntilRefused(line);
      answered.resolve();
      await eventually(() => expect(shop.inFlight).toBe(0));
      expect(await refusalOf(backendOf(usher).issue({ queue: "line" }))).toMatchObject(REFUSED);

      await disk.makeRoom(usher.pid);
      for (const [n, body] of ["first", "second"].entries()) {
        const location = tickets[n]?.headers.get("location") ?? "";
        await eventually(async () => {
          const res = await fetch(new URL(location, usher.gatewayUrl));
          expect([res.status, await res.text()]).toEqual([200, `done: ${body}`]);
        });
      }
      expect(shop.seen.map(({ body }) => body)).toEqual(["first", "second"]);
      await line.takeNext();
    });
  });
}

test.skipIf(!mayMount())(
  "on a disk that is full from the start, it says so in one line, and starts once there is room",
  async () => {
    await using disk = await mountSmallDisk(MiB);
    await disk.fill(0);
    const flags = [
      "serve",
      "--to",
      "http://127.0.0.1:9",
      "--max-active",
      "1",
      "--port",
      "0",
      "--grpc-port",
      "0",
    ];
    const data = join(disk.directory, "data");
    const { code, stderr } = await runUsher([...flags, "--data", data]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^usher: .*(no room|no space).*\n$/i);
    expect(stderr).toContain(data);
    await disk.makeRoom(0);
    await using usher = await startUsher({
      config: "queues: { line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h } }",
      data,
    });
    await new Ledger(backendOf(usher), "line").takeNext();
  },
);
