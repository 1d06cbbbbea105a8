// What backends do, with an API key: admit, follow admissions, complete.

import { Code } from "@connectrpc/connect";
import { TicketState, type WatchAdmissionsResponse } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import {
  API_KEY_REQUIRED,
  errorOf,
  expectRefusal,
  expectRefusals,
  first,
  invalid,
  KEY_REUSED,
  NOT_ADMITTED,
  QUEUE_NOT_FOUND,
  type Stage,
  ticketOf,
} from "../support/stage.ts";

export function backendCases(stage: () => Stage): void {
  const count = (value: number) => ({ case: "count", value }) as const;
  const ticket = (value: string) => ({ case: "ticketId", value }) as const;

  describe("Admit", () => {
    it("admits a count from the front, whatever the mode", async () => {
      const queue = stage().queue("paused");
      const answers = await stage().issue(queue, 5);
      const admitted = await stage().backend.admit({ queue, who: count(2), requestId: "r1" });
      expect(admitted).toMatchObject({ admitted: 2, numbers: [1, 2], waiting: 3 });
      const states = await Promise.all(answers.map(({ token }) => stage().status(token)));
      expect(states.map(({ ticket }) => ticket?.position)).toEqual([0, 0, 1, 2, 3]);
    });

    it("admits one ticket, wherever it stands", async () => {
      const queue = stage().queue("paused");
      const [, b, c] = await stage().issue(queue, 3);
      const who = ticket(ticketOf(b).id);
      expect(await stage().backend.admit({ queue, who, requestId: "r1" })).toMatchObject({
        admitted: 1,
        numbers: [2],
        waiting: 2,
      });
      expect((await stage().status(c?.token ?? "")).ticket?.position).toBe(2);
    });

    it("admits fewer where fewer wait or fit, and carries nothing over", async () => {
      const queue = stage().queue("paused");
      await stage().issue(queue, 3);
      const first = await stage().backend.admit({ queue, who: count(100), requestId: "r1" });
      expect(first).toMatchObject({ admitted: 3, numbers: [1, 2, 3], waiting: 0 });
      await stage().issue(queue, 10);
      expect((await stage().visitor.getQueue({ queue })).queue?.waiting).toBe(10);
      const second = await stage().backend.admit({ queue, who: count(10_000), requestId: "r2" });
      expect(second).toMatchObject({ admitted: 7, numbers: [4, 5, 6, 7, 8, 9, 10], waiting: 3 });
    });

    it("twice under one request id admits nobody twice", async () => {
      const queue = stage().queue("paused");
      await stage().issue(queue, 5);
      const request = { queue, who: count(2), requestId: "r1" };
      const answers = await Promise.all([1, 2, 3].map(() => stage().backend.admit(request)));
      for (const answer of [...answers, await stage().backend.admit(request)]) {
        expect(answer).toMatchObject({ admitted: 2, numbers: [1, 2], waiting: 3 });
      }
    });

    it("under a request id that had another count or ticket is refused", async () => {
      const queue = stage().queue("paused");
      const [, , c] = await stage().issue(queue, 5);
      await stage().backend.admit({ queue, who: count(2), requestId: "r1" });
      const other = ticket(ticketOf(c).id);
      for (const who of [count(3), other]) {
        await expectRefusal(stage().backend.admit({ queue, who, requestId: "r1" }), KEY_REUSED);
      }
      expect((await stage().visitor.getQueue({ queue })).queue?.waiting).toBe(3);
      await stage().takesAFreshTicket();
    });

    it("of 0, 10,001 or 2^32 − 1 is refused, and the field is named", async () => {
      const queue = stage().queue("paused");
      await stage().issue(queue, 2);
      for (const value of [0, 10_001, 2 ** 32 - 1]) {
        const request = { queue, who: count(value), requestId: `r${value}` };
        await expectRefusal(stage().backend.admit(request), invalid("count"));
      }
      expect((await stage().visitor.getQueue({ queue })).queue?.waiting).toBe(2);
      await stage().takesAFreshTicket();
    });

    it("of nobody, of a ticket that is none, or without a request id is refused", async () => {
      const queue = stage().queue("paused");
      const elsewhere = await stage().issue(stage().queue("paused"), 1);
      const { admit } = stage().backend;
      await expectRefusal(admit({ queue, requestId: "r1" }), invalid("who"));
      for (const id of ["", "1", `${queue}:0:1`, "../..", "x".repeat(10_000), ticketOf(elsewhere[0]).id]) {
        await expectRefusal(admit({ queue, who: ticket(id), requestId: "r1" }), invalid("ticket_id"));
      }
      for (const requestId of ["", "r".repeat(256), "요청"]) {
        await expectRefusal(admit({ queue, who: count(1), requestId }), invalid("request_id"));
      }
      await expectRefusal(admit({ queue: "no-such", who: count(1), requestId: "r1" }), QUEUE_NOT_FOUND);
      await expectRefusal(admit({ queue: "NO", who: count(1), requestId: "r1" }), invalid("queue"));
      await stage().takesAFreshTicket();
    });

    it("of a ticket that never was is refused", async () => {
      const queue = stage().queue("paused");
      const [a] = await stage().issue(queue, 1);
      const never = { code: Code.NotFound, reason: "TICKET_NOT_FOUND" };
      const { id } = ticketOf(a);
      for (const other of [id.replace(/:1$/, ":2"), id.replace(/:[0-9a-f]+:/, ":0000000000000000:")]) {
        await expectRefusal(stage().backend.admit({ queue, who: ticket(other), requestId: "r1" }), never);
      }
    });
  });

  describe("Complete", () => {
    it("ends the ticket, frees its place and admits the next", async () => {
      const [a, b, c] = await stage().issue(stage().queue("one"), 3);
      const answer = await stage().backend.complete({ ticketId: ticketOf(a).id });
      expect(answer.ticket).toMatchObject({ number: 1, state: TicketState.COMPLETED });
      expect((await stage().status(b?.token ?? "")).ticket).toMatchObject({
        position: 0,
        state: TicketState.ADMITTED,
      });
      expect((await stage().status(c?.token ?? "")).ticket?.position).toBe(1);
    });

    it("twice is no error, and frees one place", async () => {
      const [a, b, c] = await stage().issue(stage().queue("one"), 3);
      const ticketId = ticketOf(a).id;
      for (const answer of [
        await stage().backend.complete({ ticketId }),
        await stage().backend.complete({ ticketId }),
      ]) {
        expect(answer.ticket?.state).toBe(TicketState.COMPLETED);
      }
      expect((await stage().status(b?.token ?? "")).ticket?.position).toBe(0);
      expect((await stage().status(c?.token ?? "")).ticket?.position).toBe(1);
    });

    it("of a ticket that waits is refused", async () => {
      const [, b] = await stage().issue(stage().queue("one"), 2);
      await expectRefusal(stage().backend.complete({ ticketId: ticketOf(b).id }), NOT_ADMITTED);
      expect((await stage().status(b?.token ?? "")).ticket?.position).toBe(1);
      await stage().takesAFreshTicket();
    });

    it("of what is no ticket is refused", async () => {
      for (const ticketId of ["", "x", "one-0:1", "::", "x".repeat(10_000)]) {
        await expectRefusal(stage().backend.complete({ ticketId }), invalid("ticket_id"));
      }
      await stage().takesAFreshTicket();
    });
  });

  describe("WatchAdmissions", () => {
    it("tells who was admitted and is active, in order, with what Issue was told", async () => {
      const queue = stage().queue("paused");
      for (const name of ["ada", "bob", "eve"]) {
        await stage().backend.issue({
          queue,
          subject: name,
          attributes: { seat: name.length.toString(), name },
        });
      }
      await stage().backend.admit({ queue, who: count(3), requestId: "r1" });
      const told = await admissions(stage().backend.watchAdmissions({ queue }), 3);
      expect(told.map(({ ticket }) => ticket?.number)).toEqual([1, 2, 3]);
      expect(told.map(({ subject }) => subject)).toEqual(["ada", "bob", "eve"]);
      expect(told.map(({ attributes }) => attributes.name)).toEqual(["ada", "bob", "eve"]);
      expect(told.map(({ ticket }) => ticket?.state)).toEqual(new Array(3).fill(TicketState.ADMITTED));
    });

    it("tells admissions as they come", async () => {
      const queue = stage().queue("one");
      const issued = await stage().issue(queue, 3);
      const numbers: (number | undefined)[] = [];
      for await (const { ticket: admitted } of stage().backend.watchAdmissions({ queue })) {
        numbers.push(admitted?.number);
        if (numbers.length === issued.length) {
          break;
        }
        await stage().backend.complete({ ticketId: admitted?.id ?? "" });
      }
      expect(numbers).toEqual([1, 2, 3]);
    });

    it("goes on after the cursor that it is given", async () => {
      const queue = stage().queue("paused");
      await stage().issue(queue, 6);
      await stage().backend.admit({ queue, who: count(4), requestId: "r1" });
      const before = await admissions(stage().backend.watchAdmissions({ queue }), 2);
      const cursor = before.at(-1)?.cursor ?? 0n;
      const after = await admissions(stage().backend.watchAdmissions({ queue, cursor }), 2);
      expect([...before, ...after].map(({ ticket }) => ticket?.number)).toEqual([1, 2, 3, 4]);
      const rest = admissions(
        stage().backend.watchAdmissions({ queue, cursor: after.at(-1)?.cursor ?? 0n }),
        2,
      );
      await stage().backend.admit({ queue, who: count(2), requestId: "r2" });
      expect((await rest).map(({ ticket }) => ticket?.number)).toEqual([5, 6]);
    });

    it("from an old cursor tells again what is still active, and nothing that ended", async () => {
      const queue = stage().queue("three");
      const [, b] = await stage().issue(queue, 3);
      await admissions(stage().backend.watchAdmissions({ queue }), 3);
      await stage().backend.complete({ ticketId: ticketOf(b).id });
      const again = await admissions(stage().backend.watchAdmissions({ queue }), 2);
      expect(again.map(({ ticket }) => ticket?.number)).toEqual([1, 3]);
    });

    it("counts its cursor up", async () => {
      const queue = stage().queue("three");
      await stage().issue(queue, 3);
      const told = await admissions(stage().backend.watchAdmissions({ queue }), 3);
      const cursors = told.map(({ cursor }) => cursor);
      expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => (a < b ? -1 : 1)));
    });

    it("whose deadline is over ends as DEADLINE_EXCEEDED, and not as if all had been told", async () => {
      const queue = stage().queue("one");
      await stage().issue(queue, 1);
      const headers = { "connect-timeout-ms": "200", "grpc-timeout": "200m" };
      const stream = stage().backend.watchAdmissions({ queue }, { headers });
      expect(Code[(await errorOf(admissions(stream, 2))).code]).toBe("DeadlineExceeded");
      await stage().takesAFreshTicket();
    });

    it("of a queue that there is not is refused", async () => {
      await expectRefusal(first(stage().backend.watchAdmissions({ queue: "no-such" })), QUEUE_NOT_FOUND);
      await expectRefusal(first(stage().backend.watchAdmissions({ queue: "" })), invalid("queue"));
      await stage().takesAFreshTicket();
    });
  });

  describe("a backend's call", () => {
    it("without an API key, or with a wrong one, is refused and does nothing", async () => {
      const queue = stage().queue("one");
      const [a] = await stage().issue(queue, 2);
      const { anonymous } = stage();
      const ticketId = ticketOf(a).id;
      const wrong = { headers: { "usher-api-key": "usher_wrong" } };
      const empty = { headers: { "usher-api-key": "" } };
      for (const options of [{}, wrong, empty]) {
        const calls = [
          anonymous.complete({ ticketId }, options),
          anonymous.admit({ queue, who: count(1), requestId: "r1" }, options),
          first(anonymous.watchAdmissions({ queue }, options)),
        ];
        await expectRefusals(calls, API_KEY_REQUIRED);
      }
      await expectRefusal(anonymous.getQueue({ queue }, wrong), API_KEY_REQUIRED);
      expect((await stage().status(a?.token ?? "")).ticket?.state).toBe(TicketState.ADMITTED);
      await stage().takesAFreshTicket();
    });

    it("of visitors needs an API key exactly where all calls do", async () => {
      const queue = stage().queue("one");
      const [a] = await stage().issue(queue, 1);
      const { target, anonymous } = stage();
      const { token = "" } = a ?? {};
      const calls = [
        anonymous.getQueue({ queue }),
        anonymous.getTicket({ token }),
        first(anonymous.watchPosition({ token })),
        anonymous.issue({ queue }),
        anonymous.leave({ token }),
      ];
      await (target.keys === "all" ? expectRefusals(calls, API_KEY_REQUIRED) : Promise.all(calls));
    });
  });
}

/** The next so many admissions; signs of life are passed over. */
async function admissions(
  stream: AsyncIterable<WatchAdmissionsResponse>,
  many: number,
): Promise<WatchAdmissionsResponse[]> {
  const told: WatchAdmissionsResponse[] = [];
  for await (const message of stream) {
    if (message.ticket !== undefined) {
      told.push(message);
    }
    if (told.length === many) {
      break;
    }
  }
  return told;
}
