// What operators see of the node and its log, and failed requests taken up again: AdminService, beside the queues.

import { Code } from "@connectrpc/connect";
import { LogKind, LogState, type ReadLogResponse } from "@usher/protocol/admin";
import { describe, expect, it } from "vitest";
import {
  API_KEY_REQUIRED,
  errorOf,
  expectRefusal,
  expectRefusals,
  first,
  invalid,
  QUEUE_NOT_FOUND,
  type Stage,
  ticketOf,
} from "../support/stage.ts";

export function nodeCases(stage: () => Stage): void {
  describe("GetNode", () => {
    it("shows the node: ready, up to date, and the one that keeps time", async () => {
      const { node } = await stage().admin.getNode({});
      expect(node).toMatchObject({
        ...{ name: "embedded", ready: true, unreadyReason: "" },
        log: { kind: LogKind.EMBEDDED, state: LogState.CURRENT, haltedReason: "", skipped: 0n },
        timekeeper: { node: "embedded", own: true, term: node?.term },
      });
      expect(node?.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(node?.sessions.map(({ node }) => node).sort()).toEqual(["embedded", "embedded/time"]);
    });

    it("shows how far it has read, which every record moves on, and the epoch that tickets' ids carry", async () => {
      const before = (await stage().admin.getNode({})).node;
      const [issued] = await stage().issue(stage().queue("one"), 1);
      const after = (await stage().admin.getNode({})).node;
      expect(after?.log?.asOf).toBeGreaterThan(before?.log?.asOf ?? 0n);
      expect(after?.log?.folded).toBeGreaterThan(before?.log?.folded ?? 0n);
      expect(ticketOf(issued).id.split(":")[1]).toBe(after?.epoch);
    });
  });

  describe("ReadLog", () => {
    it("streams the entries up to the log's end, in order, and tells where to go on", async () => {
      const queue = stage().queue("one");
      const start = (await stage().admin.getNode({})).node?.log?.asOf ?? 0n;
      await stage().issue(queue, 3);
      const messages = await all(stage().admin.readLog({ start: { case: "from", value: start } }));
      const entries = messages.flatMap(({ entries }) => entries);
      const offsets = entries.map(({ offset }) => offset);
      expect(offsets).toEqual([...offsets].sort((a, b) => (a < b ? -1 : 1)));
      expect(offsets[0]).toBeGreaterThanOrEqual(start);
      expect(entries.filter(({ key }) => key === queue)).toHaveLength(3);
      for (const { value } of entries) expect(value.length).toBeGreaterThan(0);
      const last = messages.at(-1);
      expect(last?.next).toBe((offsets.at(-1) ?? 0n) + 1n);
      expect(last?.next).toBe(last?.end);
      expect(last?.reconnectAfter).toBeUndefined();
    });

    it("streams the same entries whoever asks for the same range", async () => {
      const from = { case: "from", value: 2n } as const;
      const [one, other] = [
        await all(stage().admin.readLog({ start: from, until: 700n })),
        await all(stage().admin.readLog({ until: 700n })),
      ].map((messages) => messages.flatMap(({ entries }) => entries));
      expect(one?.map(({ offset }) => offset)).toEqual(
        Array.from({ length: 698 }, (_, at) => BigInt(at + 2)),
      );
      expect(one).toEqual(other?.slice(2));
    });

    it("goes on with what comes, if it is to follow", async () => {
      const queue = stage().queue("one");
      const keys: string[] = [];
      for await (const { entries } of stage().admin.readLog({
        start: { case: "last", value: 1 },
        follow: true,
      })) {
        if (keys.length === 0) await stage().issue(queue, 1);
        keys.push(...entries.map(({ key }) => key));
        if (keys.includes(queue)) break;
      }
      expect(keys.filter((key) => key === queue)).toHaveLength(1);
      await stage().takesAFreshTicket();
    });

    it("whose deadline is over ends as DEADLINE_EXCEEDED, and not as if all had been told", async () => {
      const headers = { "connect-timeout-ms": "300", "grpc-timeout": "300m" };
      const stream = stage().admin.readLog({ start: { case: "last", value: 1 }, follow: true }, { headers });
      expect(Code[(await errorOf(all(stream))).code]).toBe("DeadlineExceeded");
      await stage().takesAFreshTicket();
    });

    it("of what makes no sense is refused, and the field is named", async () => {
      const { readLog } = stage().admin;
      const beyond = { case: "from", value: 2n ** 62n } as const;
      await expectRefusal(first(readLog({ start: beyond })), invalid("from"));
      for (const value of [0, 2 ** 32 - 1])
        await expectRefusal(first(readLog({ start: { case: "last", value } })), invalid("last"));
      await expectRefusal(first(readLog({ until: 1n, follow: true })), invalid("until"));
      await stage().takesAFreshTicket();
    });
  });

  describe("GetState", () => {
    it("tells a queue's tickets by where they are, in a digest of them and of all", async () => {
      const queue = stage().queue("three");
      const [a, b] = await stage().issue(queue, 6);
      await stage().backend.complete({ ticketId: ticketOf(a).id });
      await stage().visitor.leave({ token: b?.token ?? "" });
      const state = await stage().admin.getState({ queue });
      expect(state.digest).toMatch(/^[0-9a-f]{64}$/);
      expect(state.queues).toMatchObject([
        { name: queue, lastNumber: 6, admissions: 5n, waiting: 1, admitted: 3, completed: 1, left: 1 },
      ]);
      const ofQueue = state.pieces.filter((piece) => piece.queue !== "");
      expect(new Set(ofQueue.map((piece) => piece.queue))).toEqual(new Set([queue]));
      expect(ofQueue.find(({ kind }) => kind === "ticket")).toMatchObject({ from: 1, count: 6 });
      expect(ofQueue.find(({ kind }) => kind === "settings")?.fields).toMatchObject({ max_active: "3" });
    });

    it("is of the log as far as it says, which is no less than was asked for", async () => {
      const queue = stage().queue("one");
      const [issued] = await stage().issue(queue, 1);
      const asOf = issued?.status?.asOf ?? 0n;
      expect((await stage().admin.getState({ queue, asOf })).asOf).toBeGreaterThanOrEqual(asOf);
      const ahead = { asOf: asOf + 1_000_000_000n };
      await expectRefusal(stage().admin.getState(ahead), { code: Code.Unavailable, reason: "BEHIND" });
    });

    it("of all queues has all of them", async () => {
      const [{ queues: listed }, { queues }] = await Promise.all([
        stage().admin.listQueues({}),
        stage().admin.getState({}),
      ]);
      expect(queues.map(({ name }) => name).sort()).toEqual(listed.map(({ name }) => name).sort());
    });

    it("of a queue that there is not, or whose name is none, is refused", async () => {
      await expectRefusal(stage().admin.getState({ queue: "no-such" }), QUEUE_NOT_FOUND);
      await expectRefusal(stage().admin.getState({ queue: "NO" }), invalid("queue"));
    });
  });

  describe("RetryRequest", () => {
    const retry = (ticketId: string, reason = "a test") => stage().admin.retryRequest({ ticketId, reason });

    it("of a ticket whose request has not failed, or that has none, is refused and changes nothing", async () => {
      const [a, b] = await stage().issue(stage().queue("one"), 2);
      const notFailed = { code: Code.FailedPrecondition, reason: "NOT_FAILED" };
      for (const answer of [a, b]) {
        const before = await stage().status(answer?.token ?? "");
        await expectRefusal(retry(ticketOf(answer).id), notFailed);
        expect((await stage().status(answer?.token ?? "")).ticket).toEqual(before.ticket);
      }
    });

    it("of what is no ticket, of one that never was, or without a reason, is refused", async () => {
      const [a] = await stage().issue(stage().queue("one"), 1);
      const { id } = ticketOf(a);
      for (const ticketId of ["", "x", "one-0:1", "x".repeat(10_000)])
        await expectRefusal(retry(ticketId), invalid("ticket_id"));
      const never = { code: Code.NotFound, reason: "TICKET_NOT_FOUND" };
      await expectRefusal(retry(id.replace(/:1$/, ":2")), never);
      for (const reason of ["", "r".repeat(501)]) await expectRefusal(retry(id, reason), invalid("reason"));
      await stage().takesAFreshTicket();
    });
  });

  it("an operator's call of any kind needs an API key", async () => {
    const { anonymousAdmin } = stage();
    const calls = [
      anonymousAdmin.getNode({}),
      first(anonymousAdmin.readLog({})),
      anonymousAdmin.getState({}),
      anonymousAdmin.retryRequest({ ticketId: "one:0000000000000000:1", reason: "r" }),
    ];
    await expectRefusals(calls, API_KEY_REQUIRED);
  });
}

async function all(stream: AsyncIterable<ReadLogResponse>): Promise<ReadLogResponse[]> {
  const messages: ReadLogResponse[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}
