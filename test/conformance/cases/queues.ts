// How queues stand, for anybody; and AdminService, for operators.

import { Code } from "@connectrpc/connect";
import type { QueueDetails } from "@usher/protocol/admin";
import { QueueKind, QueueMode } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import {
  API_KEY_REQUIRED,
  expectRefusal,
  expectRefusals,
  invalid,
  QUEUE_NOT_FOUND,
  type Stage,
  ticketOf,
} from "../support/stage.ts";

export function queueCases(stage: () => Stage): void {
  describe("GetQueue", () => {
    it("counts who waits, who is served, and the last number", async () => {
      const queue = stage().queue("three");
      const empty = await stage().visitor.getQueue({ queue });
      expect(empty.queue).toMatchObject({
        ...{ name: queue, kind: QueueKind.PASS, mode: QueueMode.AUTO },
        ...{ waiting: 0, nowServing: 0, lastNumber: 0 },
      });
      const [a, , , , e] = await stage().issue(queue, 6);
      const full = await stage().visitor.getQueue({ queue, asOf: empty.asOf });
      expect(full.queue).toMatchObject({ waiting: 3, nowServing: 3, lastNumber: 6 });
      expect(full.asOf).toBeGreaterThan(empty.asOf);
      await stage().backend.complete({ ticketId: ticketOf(a).id });
      await stage().visitor.leave({ token: e?.token ?? "" });
      const later = await stage().visitor.getQueue({ queue, asOf: full.asOf });
      expect(later.queue).toMatchObject({ waiting: 1, nowServing: 4, lastNumber: 6 });
      expect(later.asOf).toBeGreaterThanOrEqual(full.asOf);
    });

    it("of a queue that there is not, or whose name is none, is refused", async () => {
      await expectRefusal(stage().visitor.getQueue({ queue: "no-such" }), QUEUE_NOT_FOUND);
      for (const queue of ["", "NO", "q".repeat(65)]) {
        await expectRefusal(stage().visitor.getQueue({ queue }), invalid("queue"));
      }
      await stage().takesAFreshTicket();
    });
  });

  describe("AdminService", () => {
    const details = async (queue: string): Promise<QueueDetails> => {
      const answer = await stage().admin.getQueue({ queue });
      return answer.queue ?? expect.fail("there are no details");
    };

    it("lists the queues by name, each as GetQueue shows it", async () => {
      const queue = stage().queue("three");
      await stage().issue(queue, 4);
      const { queues } = await stage().admin.listQueues({});
      const names = queues.map(({ name }) => name);
      expect(names).toEqual([...names].sort());
      expect(ageless(queues.find(({ name }) => name === queue))).toEqual(ageless(await details(queue)));
    });

    it("shows what is set and how the queue stands", async () => {
      const queue = stage().queue("three");
      const [a] = await stage().issue(queue, 5);
      await stage().backend.complete({ ticketId: ticketOf(a).id });
      expect(await details(queue)).toMatchObject({
        name: queue,
        settings: { kind: QueueKind.PASS, mode: QueueMode.AUTO, limit: { ratePerSecond: 0, maxActive: 3 } },
        revision: 1,
        queue: { waiting: 1, nowServing: 4, lastNumber: 5 },
        active: 3,
        remembered: 1,
      });
      expect((await details(queue)).settings?.maxWait?.seconds).toBe(3_600n);
    });

    it("changes what the mask names and nothing else, at once", async () => {
      const queue = stage().queue("one");
      const issued = await stage().issue(queue, 4);
      const before = await details(queue);
      const { queue: after } = await stage().admin.updateQueue({
        queue,
        settings: { limit: { maxActive: 3, ratePerSecond: 99 }, notice: "not named", maxWaiting: 1 },
        updateMask: { paths: ["limit.max_active"] },
        etag: before.etag,
        reason: "more tills",
      });
      expect(after?.settings).toEqual({
        ...before.settings,
        limit: { ...before.settings?.limit, maxActive: 3 },
      });
      expect(after?.revision).toBe(before.revision + 1);
      expect(after?.etag).not.toBe(before.etag);
      expect(ageless(await details(queue))).toEqual(ageless(after));
      const statuses = await Promise.all(issued.map(({ token }) => stage().status(token)));
      expect(statuses.map(({ ticket }) => ticket?.position)).toEqual([0, 0, 0, 1]);
    });

    it("changes the mode and the notice, which holders see", async () => {
      const queue = stage().queue("one");
      const [, b] = await stage().issue(queue, 2);
      const { etag } = await details(queue);
      const settings = { mode: QueueMode.CLOSED, notice: "We close at six." };
      const updateMask = { paths: ["mode", "notice"] };
      await stage().admin.updateQueue({ queue, settings, updateMask, etag, reason: "evening" });
      expect((await stage().status(b?.token ?? "")).notice).toBe("We close at six.");
      const closed = { code: Code.FailedPrecondition, reason: "QUEUE_CLOSED" };
      await expectRefusal(stage().visitor.issue({ queue }), closed);
      expect((await stage().visitor.getQueue({ queue })).queue).toMatchObject(settings);
    });

    it("refuses a change that builds on an old etag, of two at once one", async () => {
      const queue = stage().queue("one");
      const { etag } = await details(queue);
      const update = (maxActive: number) =>
        stage().admin.updateQueue({
          queue,
          settings: { limit: { maxActive } },
          updateMask: { paths: ["limit.max_active"] },
          etag,
          reason: "race",
        });
      const mismatch = { code: Code.Aborted, reason: "ETAG_MISMATCH" };
      const both = await Promise.allSettled([update(2), update(3)]);
      expect(both.map((end) => end.status).sort()).toEqual(["fulfilled", "rejected"]);
      await expectRefusal(update(4), mismatch);
      expect((await details(queue)).revision).toBe(2);
    });

    it("refuses a change without reason, mask, values or etag, and changes nothing", async () => {
      const queue = stage().queue("one");
      const before = await details(queue);
      const good = {
        queue,
        settings: { limit: { maxActive: 5 } },
        updateMask: { paths: ["limit.max_active"] },
        etag: before.etag,
        reason: "why",
      };
      const { updateQueue } = stage().admin;
      await expectRefusal(updateQueue({ ...good, reason: "" }), invalid("reason"));
      await expectRefusal(updateQueue({ ...good, reason: "w".repeat(501) }), invalid("reason"));
      await expectRefusal(updateQueue({ ...good, updateMask: { paths: [] } }), invalid("update_mask"));
      await expectRefusal(updateQueue({ ...good, settings: undefined }), invalid("settings"));
      await expectRefusal(updateQueue({ ...good, etag: "" }), {
        code: Code.Aborted,
        reason: "ETAG_MISMATCH",
      });
      await expectRefusal(updateQueue({ ...good, queue: "no-such" }), QUEUE_NOT_FOUND);
      for (const path of ["kind", "name", "limit.max", "constructor", "__proto__", "maxWait"]) {
        const updateMask = { paths: [path] };
        // JSON carries masks in lowerCamelCase, so some of these cannot even be sent with it.
        const call = updateQueue({ ...good, updateMask });
        await call.then(
          () => expect.fail("the change was taken"),
          () => {},
        );
      }
      expect(await details(queue)).toEqual(before);
      await stage().takesAFreshTicket();
    });

    it.each([
      ["a rate below 0", { ratePerSecond: -1, maxActive: 1 }],
      ["a rate that is no number", { ratePerSecond: Number.NaN, maxActive: 1 }],
      ["an infinite rate", { ratePerSecond: Number.POSITIVE_INFINITY, maxActive: 1 }],
      ["a rate above the most", { ratePerSecond: 1_000_001, maxActive: 1 }],
      ["a rate below the least", { ratePerSecond: 0.0001, maxActive: 1 }],
      ["room above the most", { ratePerSecond: 0, maxActive: 1_000_001 }],
      ["neither rate nor room", { ratePerSecond: 0, maxActive: 0 }],
    ])("refuses %s, and changes nothing", async (_what, limit) => {
      const queue = stage().queue("one");
      const before = await details(queue);
      const request = { queue, settings: { limit }, updateMask: { paths: ["limit"] }, etag: before.etag };
      const refused = { code: Code.InvalidArgument, reason: "INVALID_FIELD" };
      await expectRefusal(stage().admin.updateQueue({ ...request, reason: "a mistake" }), refused);
      expect(await details(queue)).toEqual(before);
      await stage().takesAFreshTicket();
    });

    it("needs an API key for every call", async () => {
      const queue = stage().queue("one");
      const { anonymousAdmin } = stage();
      const calls = [
        anonymousAdmin.listQueues({}),
        anonymousAdmin.getQueue({ queue }),
        anonymousAdmin.updateQueue({ queue, etag: "x", reason: "x", updateMask: { paths: ["mode"] } }),
      ];
      await expectRefusals(calls, API_KEY_REQUIRED);
    });
  });
}

/** Without what changes by itself: the first in line goes on waiting between two calls. */
function ageless(details: QueueDetails | undefined): QueueDetails | undefined {
  return details && { ...details, oldestWait: undefined };
}
