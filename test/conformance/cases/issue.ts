// Issue: numbers, keys, and the bounds of what may be said.

import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { RetryInfoSchema } from "@usher/protocol/error-details";
import { TicketState } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import {
  API_KEY_REQUIRED,
  errorOf,
  expectRefusal,
  invalid,
  KEY_REUSED,
  QUEUE_NOT_FOUND,
  type Stage,
  ticketOf,
} from "../support/stage.ts";

export function issueCases(stage: () => Stage): void {
  describe("Issue", () => {
    it("gives numbers from 1 on, without gaps, and a token to each", async () => {
      const queue = stage().queue("one");
      const answers = await stage().issue(queue, 5);
      expect(answers.map((answer) => ticketOf(answer).number)).toEqual([1, 2, 3, 4, 5]);
      expect(new Set(answers.map(({ token }) => token)).size).toBe(5);
      for (const answer of answers) {
        expect(answer.existing).toBe(false);
        expect(ticketOf(answer)).toMatchObject({ queue, id: expect.stringMatching(`^${queue}:[0-9a-f]+:`) });
        expect(ticketOf(answer).issuedAt).toBeDefined();
      }
    });

    it("gives numbers without gaps to those who come at once", async () => {
      const queue = stage().queue("one");
      const answers = await Promise.all(Array.from({ length: 50 }, () => stage().visitor.issue({ queue })));
      const numbers = answers.map((answer) => ticketOf(answer).number).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    it("admits while there is room, and lets the rest wait in order", async () => {
      const answers = await stage().issue(stage().queue("three"), 5);
      expect(answers.map((answer) => ticketOf(answer).position)).toEqual([0, 0, 0, 1, 2]);
      expect(answers.map((answer) => ticketOf(answer).state)).toEqual([
        ...[TicketState.ADMITTED, TicketState.ADMITTED, TicketState.ADMITTED],
        ...[TicketState.WAITING, TicketState.WAITING],
      ]);
    });

    it("under the same idempotency key gives the same ticket, and its token again", async () => {
      const request = { queue: stage().queue("one"), idempotencyKey: randomUUID() };
      const once = await stage().visitor.issue(request);
      const again = await stage().visitor.issue(request);
      expect(ticketOf(again).id).toBe(ticketOf(once).id);
      expect([once.existing, again.existing]).toEqual([false, true]);
      const status = await stage().status(again.token);
      expect(status.ticket?.id).toBe(ticketOf(once).id);
      const next = await stage().visitor.issue({ queue: request.queue });
      expect(ticketOf(next).number).toBe(2);
    });

    it("under the same key at once gives one ticket", async () => {
      const request = { queue: stage().queue("one"), idempotencyKey: randomUUID() };
      const answers = await Promise.all(Array.from({ length: 10 }, () => stage().visitor.issue(request)));
      expect(new Set(answers.map((answer) => ticketOf(answer).id)).size).toBe(1);
      expect(answers.filter(({ existing }) => !existing)).toHaveLength(1);
    });

    it("under the same key in another queue gives another ticket", async () => {
      const idempotencyKey = randomUUID();
      const [one, two] = [stage().queue("one"), stage().queue("one")];
      const first = await stage().visitor.issue({ queue: one, idempotencyKey });
      const second = await stage().visitor.issue({ queue: two, idempotencyKey });
      expect([first.existing, second.existing]).toEqual([false, false]);
    });

    it("under the same key with other attributes is refused, and the ticket stands", async () => {
      const request = { queue: stage().queue("one"), idempotencyKey: randomUUID() };
      const { token } = await stage().visitor.issue({ ...request, attributes: { seat: "1" } });
      await expectRefusal(stage().visitor.issue({ ...request, attributes: { seat: "2" } }), KEY_REUSED);
      await expectRefusal(stage().visitor.issue(request), KEY_REUSED);
      expect((await stage().status(token)).ticket?.number).toBe(1);
      await stage().takesAFreshTicket();
    });

    it("for one subject gives one live ticket, and another after its end", async () => {
      const request = { queue: stage().queue("one"), subject: "ada" };
      const once = await stage().backend.issue(request);
      const again = await stage().backend.issue(request);
      expect(ticketOf(again).id).toBe(ticketOf(once).id);
      expect(again.existing).toBe(true);
      await stage().visitor.leave({ token: once.token });
      const anew = await stage().backend.issue(request);
      expect(anew.existing).toBe(false);
      expect(ticketOf(anew).number).toBe(2);
    });

    it("takes attributes, subjects and keys up to their bounds", async () => {
      const attributes = Object.fromEntries(
        Array.from({ length: 16 }, (_, i) => [`${"n".repeat(62)}${10 + i}`, "v".repeat(256)]),
      );
      const answer = await stage().backend.issue({
        queue: stage().queue("one"),
        idempotencyKey: "k".repeat(255),
        subject: "s".repeat(256),
        attributes,
      });
      expect(ticketOf(answer).number).toBe(1);
    });

    it("of a queue that there is not is refused", async () => {
      for (const queue of ["no-such-queue", "q".repeat(64), "constructor", "..", "one-0.."]) {
        await expectRefusal(stage().visitor.issue({ queue }), QUEUE_NOT_FOUND);
      }
      await stage().takesAFreshTicket();
    });

    it("of a queue whose name is none is refused, and the field is named", async () => {
      for (const queue of [
        "",
        "q".repeat(65),
        "q".repeat(10_000),
        "One",
        "a b",
        "a/b",
        "큐",
        "a\u0000",
        "a\n",
      ]) {
        await expectRefusal(stage().visitor.issue({ queue }), invalid("queue"));
      }
      await stage().takesAFreshTicket();
    });

    it("under a key that is none is refused, and the field is named", async () => {
      const queue = stage().queue("one");
      for (const idempotencyKey of ["k".repeat(256), `키${"k".repeat(30)}`, `\u0000${"k".repeat(30)}`]) {
        await expectRefusal(stage().visitor.issue({ queue, idempotencyKey }), invalid("idempotency_key"));
      }
      await stage().takesAFreshTicket();
    });

    it("with attributes beyond the bounds is refused, and the field is named", async () => {
      const queue = stage().queue("one");
      const seventeen = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`n${i}`, "v"]));
      for (const attributes of [
        seventeen,
        { ["n".repeat(65)]: "v" },
        { n: "v".repeat(257) },
        { n: "값".repeat(86) },
      ]) {
        await expectRefusal(stage().visitor.issue({ queue, attributes }), invalid("attributes"));
      }
      await stage().takesAFreshTicket();
    });

    it("with a subject beyond the bound is refused, and the field is named", async () => {
      const queue = stage().queue("one");
      for (const subject of ["s".repeat(257), "값".repeat(86)]) {
        await expectRefusal(stage().backend.issue({ queue, subject }), invalid("subject"));
      }
      await stage().takesAFreshTicket();
    });

    it("without an API key takes a key of 22 characters and no shorter one, or nothing at all", async () => {
      const { target, anonymous } = stage();
      const queue = stage().queue("one");
      const short = anonymous.issue({ queue, idempotencyKey: "k".repeat(21) });
      const long = anonymous.issue({ queue, idempotencyKey: "k".repeat(22) });
      if (target.keys === "all") {
        await expectRefusal(short, API_KEY_REQUIRED);
        await expectRefusal(long, API_KEY_REQUIRED);
      } else {
        await expectRefusal(short, { code: Code.InvalidArgument, reason: "KEY_TOO_SHORT" });
        expect(ticketOf(await long).number).toBe(1);
      }
      expect((await stage().backend.issue({ queue, idempotencyKey: "k" })).existing).toBe(false);
      await stage().takesAFreshTicket();
    });

    it("without an API key names nobody", async () => {
      const queue = stage().queue("one");
      await stage().backend.issue({ queue, subject: "ada" });
      await expectRefusal(stage().anonymous.issue({ queue, subject: "ada" }), API_KEY_REQUIRED);
      await expectRefusal(stage().anonymous.issue({ queue, subject: "bob" }), API_KEY_REQUIRED);
      await stage().takesAFreshTicket();
    });

    it("into a queue that is full is refused, with the time to come back", async () => {
      const queue = stage().queue("small");
      const [, second] = await stage().issue(queue, 3);
      const error = await errorOf(stage().issue(queue, 10));
      expect(Code[error.code]).toBe("ResourceExhausted");
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBeGreaterThan(0n);
      expect((await stage().status(second?.token ?? "")).ticket?.number).toBe(2);
      await stage().takesAFreshTicket();
    });

    it("into a queue that is closed is refused", async () => {
      const closed = { code: Code.FailedPrecondition, reason: "QUEUE_CLOSED" };
      await expectRefusal(stage().visitor.issue({ queue: stage().queue("closed") }), closed);
      await stage().takesAFreshTicket();
    });
  });
}
