import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide, type Facts, type Lack, Meter, type Mode, type Permit } from "../src/index.ts";

const quiet: Facts = { mode: "auto", waiting: 0, unfolded: 0, unsent: 0, lack: "nothing" };

const facts: fc.Arbitrary<Facts> = fc.record({
  mode: fc.constantFrom<Mode>("auto", "queue_all", "paused", "open", "closed"),
  waiting: fc.nat(2),
  unfolded: fc.nat(2),
  unsent: fc.nat(2),
  lack: fc.constantFrom<Lack>("nothing", "rate", "room"),
});

describe("the decision", () => {
  test("goes straight through under the limit while nobody waits", () => {
    expect(decide(quiet)).toEqual({ action: "pass", reason: "under_limit" });
  });

  test.each(["waiting", "unfolded", "unsent"] as const)("is a ticket while somebody is before: %s", (who) => {
    expect(decide({ ...quiet, [who]: 1 })).toEqual({ action: "ticket", reason: "somebody_waits" });
    expect(decide({ ...quiet, [who]: 1, lack: "rate" }).reason).toBe("somebody_waits");
  });

  test("says which limit was reached", () => {
    expect(decide({ ...quiet, lack: "rate" })).toEqual({ action: "ticket", reason: "over_rate" });
    expect(decide({ ...quiet, lack: "room" })).toEqual({ action: "ticket", reason: "over_room" });
  });

  test("passes in mode auto exactly when nobody waits and nothing is lacking", () => {
    fc.assert(
      fc.property(facts, (facts) => {
        const free = facts.waiting + facts.unfolded + facts.unsent === 0 && facts.lack === "nothing";
        if (facts.mode === "auto") expect(decide(facts).action === "pass").toBe(free);
      }),
    );
  });

  test("in the other modes depends on the mode alone", () => {
    const answers = {
      queue_all: { action: "ticket", reason: "queue_all" },
      paused: { action: "ticket", reason: "paused" },
      open: { action: "pass", reason: "open" },
      closed: { action: "refuse", reason: "closed" },
    };
    fc.assert(
      fc.property(facts, (facts) => {
        if (facts.mode !== "auto") expect(decide(facts)).toEqual(answers[facts.mode]);
      }),
    );
  });
});

// A node in small: a line, its meter, requests that end after a while. Every millisecond whoever waits is sent as
// far as the meter lets them, then newcomers are decided on.
interface Arrival {
  readonly at: number;
  readonly takes_ms: number;
}

function simulate(arrivals: readonly Arrival[], until: number) {
  const meter = new Meter({ rate_thousandths: 100_000, max_active: 8 });
  const line: Arrival[] = [];
  const flying: { end: number; permit: Permit }[] = [];
  const sent: { now: number; arrival: Arrival; straight: boolean }[] = [];
  let most = 0;
  const send = (now: number, arrival: Arrival, straight: boolean): boolean => {
    const permit = meter.take(now);
    if (permit === undefined) return false;
    flying.push({ end: now + arrival.takes_ms, permit });
    sent.push({ now, arrival, straight });
    most = Math.max(most, meter.inFlight);
    return true;
  };
  for (let now = 0; now <= until; now += 1) {
    for (const over of flying.filter(({ end }) => end <= now)) {
      over.permit.done();
      flying.splice(flying.indexOf(over), 1);
    }
    while (line[0] !== undefined && send(now, line[0], false)) line.shift();
    for (const arrival of arrivals.filter(({ at }) => at === now)) {
      const { action } = decide({ ...quiet, waiting: line.length, lack: meter.lack(now) });
      if (action === "pass") expect(send(now, arrival, true), "who is told to pass can take").toBe(true);
      else line.push(arrival);
    }
  }
  return { sent, most, left: line.length };
}

describe("a node under a burst", () => {
  const arrival = fc.record({ at: fc.nat(500), takes_ms: fc.integer({ min: 1, max: 60 }) });

  test("sends everybody once, in the order of arrival, within rate and room, straight-through and waiting together", () => {
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 150, size: "max" }), (unordered) => {
        const arrivals = unordered.toSorted((a, b) => a.at - b.at);
        const { sent, most, left } = simulate(arrivals, 5_000);
        expect(left).toBe(0);
        expect(sent.map(({ arrival }) => arrival)).toEqual(arrivals);
        expect(most).toBeLessThanOrEqual(8);
        sent.forEach(({ now }, index) => {
          const last = sent[index + 30];
          // 31 in a window: 20 of the burst, so at least 11 tokens, of 10 ms each, have come in it.
          if (last !== undefined) expect(last.now - now).toBeGreaterThanOrEqual(110);
        });
      }),
      { numRuns: 60 },
    );
  });

  test("goes back to straight-through when nobody waits any more", () => {
    const burst = Array.from({ length: 100 }, () => ({ at: 0, takes_ms: 5 }));
    const { sent } = simulate([...burst, { at: 4_000, takes_ms: 5 }], 5_000);
    expect(sent.filter(({ straight }) => !straight).length).toBeGreaterThan(50);
    expect(sent.at(-1)).toEqual({ now: 4_000, arrival: { at: 4_000, takes_ms: 5 }, straight: true });
  });
});
