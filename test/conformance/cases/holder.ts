// What a ticket's holder may do: ask for its place, watch it, leave.

import { Code } from "@connectrpc/connect";
import { TicketState, type WatchPositionResponse } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import {
  errorOf,
  expectRefusal,
  expectRefusals,
  first,
  type Stage,
  TOKEN_INVALID,
  ticketOf,
} from "../support/stage.ts";

export function holderCases(stage: () => Stage): void {
  describe("GetTicket", () => {
    it("tells the place, and when to ask again", async () => {
      const answers = await stage().issue(stage().queue("paused"), 3);
      for (const [i, { token }] of answers.entries()) {
        const status = await stage().status(token);
        expect(status.ticket).toMatchObject({ number: i + 1, position: i + 1, state: TicketState.WAITING });
        expect(status.retryAfter?.seconds).toBeGreaterThan(0n);
        expect(status.stale).toBe(false);
      }
    });

    it("tells no secret", async () => {
      const [answer] = await stage().issue(stage().queue("one"), 1);
      const status = await stage().status(answer?.token ?? "");
      expect(JSON.stringify(status.ticket, (_, value) => String(value))).not.toContain(answer?.token);
    });

    it("tells how far it is true, which never goes back for who echoes it", async () => {
      const queue = stage().queue("paused");
      const [answer] = await stage().issue(queue, 1);
      const { token = "", status } = answer ?? {};
      let asOf = status?.asOf ?? 0n;
      expect(asOf).toBeGreaterThan(0n);
      for (let i = 0; i < 10; i++) {
        await stage().issue(queue, 1);
        const { status: now } = await stage().visitor.getTicket({ token, asOf });
        expect(now?.asOf).toBeGreaterThanOrEqual(asOf);
        asOf = now?.asOf ?? 0n;
      }
    });

    it("that asks for what this node has not read is refused as BEHIND", async () => {
      const [answer] = await stage().issue(stage().queue("one"), 1);
      const { token = "", status } = answer ?? {};
      const ahead = { token, asOf: (status?.asOf ?? 0n) + 1_000_000_000n };
      await expectRefusal(stage().visitor.getTicket(ahead), { code: Code.Unavailable, reason: "BEHIND" });
      await expectRefusal(first(stage().visitor.watchPosition(ahead)), {
        code: Code.Unavailable,
        reason: "BEHIND",
      });
      await stage().takesAFreshTicket();
    });
  });

  describe("a token", () => {
    it("that is forged, cut, foreign, garbage or huge gets one answer from every call", async () => {
      const [answer] = await stage().issue(stage().queue("paused"), 1);
      const good = answer?.token ?? "";
      const flipped = (at: number) =>
        `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`;
      const bad = [
        ...["", "x", "null", "토큰", " ", "eyJhbGciOiJub25lIn0.e30."],
        ...[good.slice(0, -1), good.slice(1), `${good}A`, `${good} `, `${good}=`, good.repeat(2)],
        ...[flipped(0), flipped(14), flipped(good.length >> 1), flipped(good.length - 2)],
        await stage().foreignToken(),
        "A".repeat(60_000),
      ];
      const messages = new Set<string>();
      for (const token of bad) {
        const calls = [
          stage().visitor.getTicket({ token }),
          stage().visitor.leave({ token }),
          first(stage().visitor.watchPosition({ token })),
        ];
        await expectRefusals(calls, TOKEN_INVALID);
        for (const call of calls) {
          messages.add((await errorOf(call)).rawMessage);
        }
      }
      expect(messages.size).toBe(1);
      expect((await stage().status(good)).ticket?.position).toBe(1);
      await stage().takesAFreshTicket();
    });

    it("of a megabyte is refused before it is looked at", async () => {
      const token = "A".repeat(1_000_000);
      const calls = [
        stage().stranger().getTicket({ token }),
        first(stage().stranger().watchPosition({ token })),
        stage().stranger().leave({ token }),
      ];
      const errors = await Promise.all(calls.map(errorOf));
      expect(errors.map(({ code }) => Code[code])).toEqual(new Array(3).fill("ResourceExhausted"));
      await stage().takesAFreshTicket();
    });
  });

  describe("Leave", () => {
    it("ends the ticket, and moves those behind it", async () => {
      const [a, b, c] = await stage().issue(stage().queue("paused"), 3);
      const left = ticketOf(await stage().visitor.leave({ token: a?.token ?? "" }));
      expect(left).toMatchObject({ state: TicketState.LEFT });
      expect(left.position).toBeUndefined();
      expect(left.endedAt).toBeDefined();
      expect((await stage().status(b?.token ?? "")).ticket?.position).toBe(1);
      expect((await stage().status(c?.token ?? "")).ticket?.position).toBe(2);
    });

    it("twice is leaving once", async () => {
      const [a, b] = await stage().issue(stage().queue("paused"), 2);
      const token = a?.token ?? "";
      const once = ticketOf(await stage().visitor.leave({ token }));
      const twice = ticketOf(await stage().visitor.leave({ token }));
      expect(twice.state).toBe(TicketState.LEFT);
      expect(twice.endedAt).toEqual(once.endedAt);
      expect((await stage().status(b?.token ?? "")).ticket?.position).toBe(1);
    });

    it("after Complete changes nothing", async () => {
      const [a] = await stage().issue(stage().queue("one"), 1);
      await stage().backend.complete({ ticketId: ticketOf(a).id });
      const answer = await stage().visitor.leave({ token: a?.token ?? "" });
      expect(ticketOf(answer).state).toBe(TicketState.COMPLETED);
    });

    it("of an admitted ticket frees its place for the next", async () => {
      const [a, b] = await stage().issue(stage().queue("one"), 2);
      await stage().visitor.leave({ token: a?.token ?? "" });
      expect((await stage().status(b?.token ?? "")).ticket).toMatchObject({
        position: 0,
        state: TicketState.ADMITTED,
      });
    });
  });

  describe("WatchPosition", () => {
    it("tells the place at once, then its changes, then the end, and ends", async () => {
      const [a, b, c] = await stage().issue(stage().queue("one"), 3);
      const watch = new Watch(stage().visitor.watchPosition({ token: c?.token ?? "" }));
      await watch.sees(2);
      await stage().visitor.leave({ token: b?.token ?? "" });
      await watch.sees(1);
      await stage().backend.complete({ ticketId: ticketOf(a).id });
      await watch.sees(0);
      await stage().backend.complete({ ticketId: ticketOf(c).id });
      await watch.ended;
      const last = watch.seen.at(-1)?.status?.ticket;
      expect(last).toMatchObject({ state: TicketState.COMPLETED });
      expect(last?.position).toBeUndefined();
      expect(distinct(watch.seen.map((answer) => answer.status?.ticket?.position))).toEqual([
        2,
        1,
        0,
        undefined,
      ]);
    });

    it("of a ticket that moves by itself never goes back", async () => {
      const queue = stage().queue("paced");
      const answers = await stage().issue(queue, 20);
      const watch = new Watch(stage().visitor.watchPosition({ token: answers.at(-1)?.token ?? "" }));
      await watch.sees(0);
      const positions = watch.seen.map((answer) => answer.status?.ticket?.position ?? 0);
      expect(positions).toEqual([...positions].sort((x, y) => y - x));
      const asOf = watch.seen.map((answer) => answer.status?.asOf ?? 0n);
      expect(asOf).toEqual([...asOf].sort((x, y) => (x < y ? -1 : 1)));
      watch.stop();
    });

    it("of a ticket that has ended tells so, and ends", async () => {
      const [a] = await stage().issue(stage().queue("paused"), 1);
      await stage().visitor.leave({ token: a?.token ?? "" });
      const watch = new Watch(stage().visitor.watchPosition({ token: a?.token ?? "" }));
      await watch.ended;
      expect(watch.seen.map((answer) => answer.status?.ticket?.state)).toEqual([TicketState.LEFT]);
    });

    it("by several at once tells all of them", async () => {
      const [a] = await stage().issue(stage().queue("paused"), 1);
      const { token = "" } = a ?? {};
      const watches = Array.from({ length: 5 }, () => new Watch(stage().visitor.watchPosition({ token })));
      for (const watch of watches) {
        await watch.sees(1);
      }
      await stage().visitor.leave({ token });
      for (const watch of watches) {
        await watch.ended;
        expect(watch.seen.at(-1)?.status?.ticket?.state).toBe(TicketState.LEFT);
      }
    });

    it("that the client cancels ends cleanly, and can be opened anew", async () => {
      const [a] = await stage().issue(stage().queue("paused"), 1);
      const { token = "" } = a ?? {};
      for (let i = 0; i < 20; i++) {
        const cancel = new AbortController();
        const watching = (async () => {
          for await (const _ of stage().visitor.watchPosition({ token }, { signal: cancel.signal })) {
            cancel.abort();
          }
        })();
        expect(Code[(await errorOf(watching)).code]).toBe("Canceled");
      }
      expect(ticketOf(await first(stage().visitor.watchPosition({ token }))).position).toBe(1);
      await stage().takesAFreshTicket();
    });

    it("whose deadline is over ends as DEADLINE_EXCEEDED, and not as if all had been told", async () => {
      const [a] = await stage().issue(stage().queue("paused"), 1);
      // As headers, so that the client does not keep the time itself, and the server's word shows.
      const headers = { "connect-timeout-ms": "200", "grpc-timeout": "200m" };
      const watch = new Watch(stage().visitor.watchPosition({ token: a?.token ?? "" }, { headers }));
      expect(Code[(await errorOf(watch.ended)).code]).toBe("DeadlineExceeded");
      expect(watch.seen.length).toBeGreaterThan(0);
      await stage().takesAFreshTicket();
    });
  });
}

/** A stream that is read as it comes. */
class Watch {
  readonly seen: WatchPositionResponse[] = [];
  /** Rejects when the stream is refused. */
  readonly ended: Promise<void>;
  #stopped = false;

  constructor(stream: AsyncIterable<WatchPositionResponse>) {
    this.ended = this.#read(stream);
    // Looked at by the case, later.
    this.ended.catch(() => {});
  }

  /** Resolves when this position has been told. */
  async sees(position: number): Promise<void> {
    await eventually(() =>
      expect(this.seen.map((answer) => answer.status?.ticket?.position)).toContain(position),
    );
  }

  /** Leaves the stream at its next message. */
  stop(): void {
    this.#stopped = true;
  }

  async #read(stream: AsyncIterable<WatchPositionResponse>): Promise<void> {
    for await (const answer of stream) {
      this.seen.push(answer);
      if (this.#stopped) {
        return;
      }
    }
  }
}

function distinct<T>(values: readonly T[]): T[] {
  return values.filter((value, i) => i === 0 || value !== values[i - 1]);
}
