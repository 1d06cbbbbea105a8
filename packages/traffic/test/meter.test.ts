import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Limit, LimitError, Meter } from "../src/index.ts";
import { check, limit, type MeterLike } from "./histories.ts";

const perSecond = (rate: number, max_active = 0): Limit => ({ rate_thousandths: rate * 1_000, max_active });

function takeAll(meter: MeterLike, now_ms: number): number {
  let taken = 0;
  while (meter.take(now_ms) !== undefined) taken += 1;
  return taken;
}

describe("a meter", () => {
  test("agrees with the naive model on every take, room and next token, over random histories", () => {
    check((limit) => new Meter(limit), 1_500);
  });

  test("lets a burst of 200 ms of the rate go at once, then the rate", () => {
    const meter = new Meter(perSecond(100));
    expect(takeAll(meter, 0)).toBe(20);
    expect(takeAll(meter, 9)).toBe(0);
    expect(takeAll(meter, 10)).toBe(1);
    expect(takeAll(meter, 1_000_000)).toBe(20);
  });

  test("lets one go at a time where 200 ms of the rate are less than one", () => {
    const meter = new Meter({ rate_thousandths: 1, max_active: 0 });
    expect(takeAll(meter, 5)).toBe(1);
    expect(meter.nextToken_ms(5)).toBe(1_000_005);
    expect(takeAll(meter, 1_000_004)).toBe(0);
    expect(takeAll(meter, 1_000_005)).toBe(1);
  });

  test("loses nothing to rounding: a rate of 333.333 yields 333,333 in a thousand seconds, however it is asked", () => {
    const meter = new Meter({ rate_thousandths: 333_333, max_active: 0 });
    takeAll(meter, 0);
    let taken = 0;
    for (let now = 1; now <= 1_000_000; now += 7) taken += takeAll(meter, now + 0.9);
    taken += takeAll(meter, 1_000_000);
    // The burst of 66.67 left a fraction of a token in the bucket.
    expect(taken).toBe(Math.floor(333_333 + (66.6666 % 1)));
  });

  test("gives neither a token nor a slot when one of the two is lacking", () => {
    const meter = new Meter(perSecond(10, 1));
    const first = meter.take(0);
    expect(meter.lack(0)).toBe("room");
    for (let i = 0; i < 10; i += 1) expect(meter.take(0)).toBeUndefined();
    first?.done();
    // The token that the refused takes did not spend.
    const second = meter.take(0);
    second?.done();
    expect(second).toBeDefined();
    expect(meter.lack(0)).toBe("rate");
    expect(meter.take(0)).toBeUndefined();
    expect(meter.inFlight).toBe(0);
  });

  test("has no limit where none is set", () => {
    const meter = new Meter({ rate_thousandths: 0, max_active: 0 });
    expect(meter.room(0)).toBe(Number.POSITIVE_INFINITY);
    expect(meter.nextToken_ms(7)).toBe(7);
    for (let i = 0; i < 1_000; i += 1) meter.take(0);
    expect(meter.inFlight).toBe(1_000);
  });

  test("counts what goes through an open queue as in flight, though nothing holds it back", () => {
    const meter = new Meter(perSecond(1, 2));
    const permits = [meter.takeAnyway(), meter.takeAnyway(), meter.takeAnyway()];
    expect(meter.inFlight).toBe(3);
    expect(meter.room(0)).toBe(0);
    for (const permit of permits) permit.done();
    expect(meter.take(0), "the token is still there").toBeDefined();
  });
});

describe("a node's share", () => {
  test("is the rate divided exactly and the room rounded down, so that all shares together keep the limit", () => {
    fc.assert(
      fc.property(limit, ({ reserved: _, ...limit }) => {
        const meters = Array.from({ length: limit.nodes }, () => new Meter(limit));
        const burst = meters.reduce((sum, meter) => sum + Math.min(meter.room(0), 1e9), 0);
        const whole = Math.max(limit.nodes, (limit.rate_thousandths * 0.2) / 1_000);
        if (limit.rate_thousandths > 0) expect(burst).toBeLessThanOrEqual(whole);
        for (const meter of meters) for (let i = 0; i < 20; i += 1) meter.take(0);
        const inFlight = meters.reduce((sum, meter) => sum + meter.inFlight, 0);
        if (limit.max_active > 0) expect(inFlight).toBeLessThanOrEqual(limit.max_active);
      }),
    );
  });

  test("counts whole: three nodes at 100 a second take 100 a second between them", () => {
    const meters = [0, 1, 2].map(() => new Meter({ ...perSecond(100), nodes: 3 }));
    for (const meter of meters) takeAll(meter, 0);
    let taken = 0;
    for (let now = 1; now <= 30_000; now += 1) for (const meter of meters) taken += takeAll(meter, now);
    expect(taken).toBe(3_000);
  });

  test("is refused where it would be no room at all", () => {
    expect(() => new Meter({ rate_thousandths: 0, max_active: 2, nodes: 3 })).toThrow(
      /max_active 2 is below nodes 3/,
    );
  });

  test.each([
    { rate_thousandths: -1, max_active: 1 },
    { rate_thousandths: Number.NaN, max_active: 1 },
    { rate_thousandths: Number.POSITIVE_INFINITY, max_active: 1 },
    { rate_thousandths: 0.5, max_active: 1 },
    { rate_thousandths: 1_000_000_001, max_active: 1 },
    { rate_thousandths: 1, max_active: -1 },
    { rate_thousandths: 1, max_active: 1_000_001 },
    { rate_thousandths: 1, max_active: 1, nodes: 0 },
    { rate_thousandths: 1, max_active: 1, reserved: -1 },
  ])("is refused with the setting and the value named: %o", (limit) => {
    expect(() => new Meter(limit)).toThrow(LimitError);
    const meter = new Meter(perSecond(5, 3));
    expect(() => meter.configure(limit, 0)).toThrow(LimitError);
    expect(meter.room(0), "and the limit before it stays").toBe(1);
  });
});

describe("a limit that changes", () => {
  test("drives nobody out when it is lowered, and lets nobody in until there is room", () => {
    const meter = new Meter({ rate_thousandths: 0, max_active: 5 });
    const permits = [0, 1, 2, 3, 4].map(() => meter.take(0));
    meter.configure({ rate_thousandths: 0, max_active: 2 }, 0);
    expect(meter.inFlight).toBe(5);
    expect(meter.room(0)).toBe(0);
    for (const permit of permits.slice(0, 3)) permit?.done();
    expect(meter.take(0)).toBeUndefined();
    permits[3]?.done();
    expect(meter.take(0)).toBeDefined();
  });

  test("lets no more through in any stretch than the highest rate would have, plus one burst", () => {
    const change = fc.record({
      rate: fc.integer({ min: 1, max: 50_000 }),
      nodes: fc.integer({ min: 1, max: 5 }),
    });
    const steps = fc.array(fc.record({ ms: fc.nat(400), change: fc.option(change, { freq: 3 }) }), {
      maxLength: 60,
      size: "max",
    });
    fc.assert(
      fc.property(change, steps, (first, steps) => {
        const meter = new Meter({ rate_thousandths: first.rate, max_active: 0, nodes: first.nodes });
        const share = (limit: typeof first) => limit.rate / limit.nodes / 1_000;
        let top = share(first);
        let now = 0;
        let taken = takeAll(meter, now);
        for (const { ms, change } of steps) {
          now += ms;
          if (change !== null) {
            meter.configure({ rate_thousandths: change.rate, max_active: 0, nodes: change.nodes }, now);
            top = Math.max(top, share(change));
          }
          taken += takeAll(meter, now);
        }
        expect(taken).toBeLessThanOrEqual((top * now) / 1_000 + Math.max(1, top * 0.2) + 1e-6);
      }),
    );
  });

  test("counts time at the rate that held while it passed", () => {
    const meter = new Meter(perSecond(10));
    takeAll(meter, 0);
    meter.configure(perSecond(1_000), 100);
    expect(takeAll(meter, 100), "100 ms at 10 a second").toBe(1);
    expect(takeAll(meter, 110)).toBe(10);
    meter.configure(perSecond(10), 210);
    expect(takeAll(meter, 210), "no more than its own burst is kept").toBe(2);
  });

  test("keeps what has gathered when the number of nodes changes", () => {
    const meter = new Meter(perSecond(100));
    takeAll(meter, 0);
    meter.configure({ ...perSecond(100), nodes: 2 }, 50);
    expect(takeAll(meter, 50)).toBe(5);
  });

  test("to what it was changes nothing, however often it is told", () => {
    const told = new Meter(perSecond(10, 3));
    const untold = new Meter(perSecond(10, 3));
    for (let now_ms = 0; now_ms < 2_000; now_ms += 7) {
      told.configure(perSecond(10, 3), now_ms);
      const [one, other] = [told.take(now_ms), untold.take(now_ms)];
      expect(one === undefined).toBe(other === undefined);
      for (const permit of [one, other]) if (now_ms % 2 === 0) permit?.done();
      expect(told.nextToken_ms(now_ms)).toBe(untold.nextToken_ms(now_ms));
    }
  });

  test("counts slots that others occupy, even more than there are", () => {
    const meter = new Meter(perSecond(1_000, 4));
    meter.configure({ ...perSecond(1_000, 4), reserved: 3 }, 0);
    expect(takeAll(meter, 0)).toBe(1);
    meter.configure({ ...perSecond(1_000, 4), reserved: 9 }, 0);
    expect(meter.room(0)).toBe(0);
    meter.configure({ ...perSecond(1_000, 4), reserved: 0 }, 0);
    expect(takeAll(meter, 0)).toBe(3);
  });
});

describe("a clock that misbehaves", () => {
  test("one that jumps far ahead yields one burst, and no more when it jumps back", () => {
    const meter = new Meter(perSecond(100));
    takeAll(meter, 1_000);
    expect(takeAll(meter, 3_600_000)).toBe(20);
    expect(takeAll(meter, 1_001)).toBe(0);
    expect(takeAll(meter, 1_011), "and time goes on from there").toBe(1);
  });

  test("calls that come a little late refill nothing twice", () => {
    const meter = new Meter(perSecond(100));
    takeAll(meter, 1_000);
    let taken = 0;
    for (let i = 0; i < 1_000; i += 1) taken += takeAll(meter, i % 2 === 0 ? 900 : 1_000);
    expect(taken).toBe(0);
  });

  test("one that is no number at all changes nothing", () => {
    const meter = new Meter(perSecond(100));
    takeAll(meter, 0);
    for (const now of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300])
      expect(takeAll(meter, now)).toBe(0);
    expect(takeAll(meter, 10)).toBe(1);
  });

  test("whatever it does, a fresh start and a burst at each leap are the most it yields", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { maxLength: 50, size: "max" }),
        (times) => {
          const meter = new Meter(perSecond(100));
          let taken = takeAll(meter, 0);
          for (const now of times) taken += takeAll(meter, now);
          expect(taken).toBeLessThanOrEqual(20 * (times.length + 1));
        },
      ),
    );
  });
});
