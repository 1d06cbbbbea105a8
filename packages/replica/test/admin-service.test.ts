// `usher.admin.v1.AdminService`, called as an operator calls it.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { QueueKind, QueueMode } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { backend, clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, stopClocks } from "./support/time.ts";
import { closeWorlds, makeQueue, openWorld, recordsOf } from "./support/world.ts";

stopClocks();
closeWorlds();

async function openAdmin(settings: Parameters<typeof makeQueue>[2] = {}) {
  const world = await openWorld();
  await makeQueue(world, "q", settings);
  const clients = clientsOf(world, backend());
  const read = async () => (await clients.admin.getQueue({ queue: "q" })).queue!;
  /** Changes what the paths name. */
  const update = async (
    paths: string[],
    settings: Parameters<typeof clients.admin.updateQueue>[0]["settings"],
  ) =>
    clients.admin.updateQueue({
      queue: "q",
      etag: (await read()).etag,
      reason: "a test",
      updateMask: { paths },
      settings,
    });
  return { world, ...clients, read, update };
}

describe("the operator", () => {
  it("sees all queues, by name, whole", async () => {
    const { world, admin, queue } = await openAdmin({ max_active: 1 });
    for (const name of ["b", "a.b", "a"])
      await makeQueue(world, name, { kind: "defer", rate_thousandths: 1_500 });
    for (const _ of [1, 2, 3]) await queue.issue({ queue: "q" });
    await pass(2_000);
    await queue.leave({ token: (await queue.issue({ queue: "q" })).token });
    const { queues } = await admin.listQueues({});
    expect(queues.map(({ name }) => name)).toEqual(["a", "a.b", "b", "q"]);
    expect(queues[0]!.settings).toMatchObject({
      kind: QueueKind.DEFER,
      limit: { ratePerSecond: 1.5, maxActive: 1 },
    });
    const details = queues[3]!;
    expect(details).toMatchObject({
      name: "q",
      revision: 1,
      active: 1,
      remembered: 1,
      admissions: 1n,
      queue: { name: "q", waiting: 2, lastNumber: 4 },
      settings: {
        kind: QueueKind.PASS,
        mode: QueueMode.AUTO,
        maxWaiting: 1_000_000,
        attempts: 5,
        notice: "",
      },
    });
    expect(durationMs(details.settings!.maxWait!)).toBe(60 * 60_000);
    expect(durationMs(details.oldestWait!)).toBeGreaterThan(1_000);
    expect(queues[0]!.oldestWait).toBeUndefined();
    expect((await admin.getQueue({ queue: "q" })).queue).toEqual(details);
  });

  it("changes what the mask names, and nothing else", async () => {
    const { update, read } = await openAdmin({ rate_thousandths: 2_000, max_active: 7 });
    const values = {
      kind: QueueKind.DEFER,
      mode: QueueMode.PAUSED,
      limit: { ratePerSecond: 0.5, maxActive: 9 },
      maxWait: { seconds: 5n, nanos: 500_000_000 },
      maxWaiting: 8,
      session: { seconds: 6n },
      keyRetention: { seconds: 7n },
      attempts: 4,
      notice: "Back soon.",
    };
    let expected = (await read()).settings!;
    const steps: [string, Partial<typeof expected>][] = [
      ["mode", { mode: QueueMode.PAUSED }],
      ["limit.max_active", { limit: { ...expected.limit!, maxActive: 9 } }],
      ["limit.rate_per_second", { limit: { ...expected.limit!, maxActive: 9, ratePerSecond: 0.5 } }],
      ["max_waiting", { maxWaiting: 8 }],
      ["attempts", { attempts: 4 }],
      ["notice", { notice: "Back soon." }],
    ];
    for (const [n, [path, change]] of steps.entries()) {
      expected = { ...expected, ...change };
      const { queue } = await update([path], values);
      expect(queue).toMatchObject({ revision: n + 2, settings: expected });
      expect(await read()).toEqual(queue);
    }
    const { queue } = await update(["max_wait", "session", "key_retention", "limit"], values);
    const { maxWait, session, keyRetention, limit, kind } = queue!.settings!;
    expect([maxWait, session, keyRetention].map((duration) => durationMs(duration!))).toEqual([
      5_500, 6_000, 7_000,
    ]);
    expect([limit!.ratePerSecond, limit!.maxActive, kind]).toEqual([0.5, 9, QueueKind.PASS]);
  });

  it("stands in the log with the reason that was given", async () => {
    const { world, update } = await openAdmin();
    await update(["mode"], { mode: QueueMode.CLOSED });
    const { event } = recordsOf(world.store)
      .filter(({ event }) => event.kind === "queue_configured")
      .at(-1)!;
    expect(event).toMatchObject({ revision: 2, reason: "a test", settings: { mode: "closed" } });
  });

  it("who read the queue before another changed it is told so, and only one of two at once changes it", async () => {
    const { admin, read } = await openAdmin();
    const { etag } = await read();
    const change = (notice: string) =>
      admin.updateQueue({
        queue: "q",
        etag,
        reason: "r",
        updateMask: { paths: ["notice"] },
        settings: { notice },
      });
    const ends = await Promise.allSettled([change("one"), change("two"), change("three")]);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await refusalOf(change("four"))).toMatchObject({ reason: "ETAG_MISMATCH", code: "Aborted" });
    expect(await read()).toMatchObject({ revision: 2, settings: { notice: "one" } });
  });

  it.each<[string, string, string[], Parameters<Awaited<ReturnType<typeof openAdmin>>["update"]>[1]]>([
    ["a path that is none", "update_mask", ["colour"], {}],
    ["a path of Object's", "update_mask", ["constructor"], {}],
    ["the kind", "update_mask", ["kind"], { kind: QueueKind.DEFER }],
    ["a path that is right and one that is not", "update_mask", ["notice", "queue.name"], { notice: "x" }],
    ["no path", "update_mask", [], { notice: "x" }],
    ["no settings", "settings", ["notice"], undefined],
    ["neither rate nor room", "settings", ["limit"], {}],
    ["a rate that is negative", "settings", ["limit.rate_per_second"], { limit: { ratePerSecond: -1 } }],
    [
      "a rate that is infinite",
      "settings",
      ["limit.rate_per_second"],
      { limit: { ratePerSecond: Infinity } },
    ],
    [
      "a rate that is no number",
      "settings",
      ["limit.rate_per_second"],
      { limit: { ratePerSecond: Number.NaN } },
    ],
    [
      "a rate above a million",
      "settings",
      ["limit.rate_per_second"],
      { limit: { ratePerSecond: 1_000_001 } },
    ],
    ["a rate too low to count", "settings", ["limit.rate_per_second"], { limit: { ratePerSecond: 0.0004 } }],
    [
      "a rate just below nothing",
      "settings",
      ["limit.rate_per_second"],
      { limit: { ratePerSecond: -0.0001 } },
    ],
    ["room for more than a million", "settings", ["limit.max_active"], { limit: { maxActive: 1_000_001 } }],
    ["no time to wait", "settings", ["max_wait"], {}],
    ["a wait that is negative", "settings", ["max_wait"], { maxWait: { seconds: -5n } }],
    ["a wait of a year", "settings", ["max_wait"], { maxWait: { seconds: 31_536_000n } }],
    ["room for nobody", "settings", ["max_waiting"], { maxWaiting: 0 }],
    ["no attempt", "settings", ["attempts"], { attempts: 0 }],
    ["a notice of 501 characters", "settings", ["notice"], { notice: "x".repeat(501) }],
  ])("is refused %s, and the queue stays as it is", async (_, field, paths, settings) => {
    const { update, read, queue } = await openAdmin({ rate_thousandths: 2_000, max_active: 7 });
    const before = await read();
    expect(await refusalOf(update(paths, settings))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field },
    });
    expect(await read()).toEqual(before);
    expect(await queue.issue({ queue: "q" })).toMatchObject({ existing: false });
  });

  it("is refused a change without a reason, or of a queue that is not there", async () => {
    const { admin } = await openAdmin();
    const change = { queue: "q", etag: "x", updateMask: { paths: ["notice"] }, settings: {} };
    for (const reason of ["", "x".repeat(501)])
      expect(await refusalOf(admin.updateQueue({ ...change, reason }))).toMatchObject({
        metadata: { field: "reason" },
      });
    expect(await refusalOf(admin.updateQueue({ ...change, queue: "nowhere", reason: "r" }))).toMatchObject({
      reason: "QUEUE_NOT_FOUND",
    });
    expect(await refusalOf(admin.getQueue({ queue: "nowhere" }))).toMatchObject({
      reason: "QUEUE_NOT_FOUND",
    });
  });

  it("lowers a limit, and nobody is driven out; raises it, and the next go in at once", async () => {
    const { world, queue, update } = await openAdmin({ max_active: 3 });
    for (let n = 0; n < 6; n++) await queue.issue({ queue: "q" });
    await update(["limit.max_active"], { limit: { maxActive: 1 } });
    expect(world.replica.fold.queue("q")).toMatchObject({ active: 3, waiting: 3 });
    await update(["limit.max_active"], { limit: { maxActive: 5 } });
    expect(world.replica.fold.queue("q")).toMatchObject({ active: 5, waiting: 1 });
  });
});

describe("a limit that several nodes divide", () => {
  it("gives each at least one, or is refused; and what stands already does not stand in the way of other changes", async () => {
    const world = await openWorld();
    for (const kind of ["defer", "pass"] as const) await makeQueue(world, kind, { kind, max_active: 3 });
    const { admin } = clientsOf(world, backend(), "backends", 4);
    const set = async (queue: string, path: string, settings: object) =>
      admin.updateQueue({
        ...{ queue, etag: (await admin.getQueue({ queue })).queue?.etag ?? "", reason: "a test" },
        ...{ updateMask: { paths: [path] }, settings },
      });
    const room = (maxActive: number) => ({ limit: { maxActive, ratePerSecond: 1 } });
    for (const few of [1, 2])
      expect(await refusalOf(set("defer", "limit", room(few)))).toMatchObject({
        reason: "INVALID_FIELD",
        message: `settings: max_active: ${few} cannot be divided among 4 nodes; give at least 4, or none`,
      });
    expect((await set("defer", "notice", { notice: "Three is all." })).queue?.revision).toBe(2);
    for (const enough of [4, 0]) await set("defer", "limit", room(enough));
    expect((await set("pass", "limit", room(1))).queue?.settings?.limit?.maxActive).toBe(1);
  });
});
