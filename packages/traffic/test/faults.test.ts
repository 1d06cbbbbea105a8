// The check of `histories.ts` can fail: each of these meters has one fault, and is caught.

import { describe, expect, test } from "vitest";
import { type Limit, Meter, type Permit } from "../src/index.ts";
import { check, type MeterLike } from "./histories.ts";

/** A meter whose limit, times or takes are tampered with. */
class Faulty implements MeterLike {
  readonly meter: Meter;

  constructor(limit: Limit) {
    this.meter = new Meter(limit);
  }

  take(now_ms: number): Permit | undefined {
    return this.meter.take(now_ms);
  }
  room(now_ms: number): number {
    return this.meter.room(now_ms);
  }
  nextToken_ms(now_ms: number): number {
    return this.meter.nextToken_ms(now_ms);
  }
  configure(limit: Limit, now_ms: number): void {
    this.meter.configure(limit, now_ms);
  }
  get inFlight(): number {
    return this.meter.inFlight;
  }
}

const withLimit = (change: (limit: Required<Limit>) => Limit) => (limit: Limit) =>
  new Faulty(change({ nodes: 1, reserved: 0, ...limit }));

const faults: Record<string, (limit: Limit) => MeterLike> = {
  "a rate a thousandth too high": withLimit((limit) => ({
    ...limit,
    rate_thousandths: Math.min(1e9, Math.ceil(limit.rate_thousandths * 1.001)),
  })),
  "a share that forgets to divide the rate": withLimit((limit) => ({
    ...limit,
    nodes: 1,
    max_active: Math.floor(limit.max_active / limit.nodes),
  })),
  "room rounded up": withLimit((limit) => ({
    ...limit,
    max_active: Math.ceil(limit.max_active / limit.nodes) * limit.nodes,
  })),
  "slots of others not counted": withLimit((limit) => ({ ...limit, reserved: 0 })),
  "a burst kept twice": (limit) => {
    const second = new Meter(limit);
    return new (class extends Faulty {
      override take(now_ms: number): Permit | undefined {
        return super.take(now_ms) ?? second.take(now_ms);
      }
    })(limit);
  },
  "a token spent though there was no slot": (limit) => {
    const rate = new Meter({ ...limit, max_active: 0, reserved: 0 });
    return new (class extends Faulty {
      override take(now_ms: number): Permit | undefined {
        return rate.take(now_ms) && super.take(now_ms);
      }
    })(limit);
  },
  "a slot freed twice": (limit) =>
    new (class extends Faulty {
      #open: Permit[] = [];
      override take(now_ms: number): Permit | undefined {
        const permit = super.take(now_ms);
        if (permit === undefined) return undefined;
        this.#open.push(permit);
        return { done: () => this.#open.shift()?.done() };
      }
    })(limit),
  "a slot never freed": (limit) =>
    new (class extends Faulty {
      override take(now_ms: number): Permit | undefined {
        return super.take(now_ms) && { done: () => undefined };
      }
    })(limit),
  "a next token told a millisecond late": (limit) =>
    new (class extends Faulty {
      override nextToken_ms(now_ms: number): number {
        const next = super.nextToken_ms(now_ms);
        return next === now_ms ? next : next + 1;
      }
    })(limit),
};

describe("the check of a meter", () => {
  test.each(Object.entries(faults))("catches %s", (_, make) => {
    expect(() => check(make)).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: "ERR_ASSERTION" }) }),
    );
  });
});
