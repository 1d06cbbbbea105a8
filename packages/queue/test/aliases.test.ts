import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ALIASES_MAX, Aliases } from "../src/aliases.ts";
import { Log } from "./log.ts";
import { SEED } from "./sample.ts";

const SECOND = 1_000;

/** Few different first words, so that many look for the same place in the index. */
function words(seed: number): Uint32Array {
  return Uint32Array.of((seed % 3) * 2 ** 30, seed, 7, 9);
}

function hash(seed: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => seed + at * 16);
}

test("further keys are found, with what they came with, until their ticket is forgotten", () => {
  const move = fc.record({ ticket: fc.integer({ min: 1, max: 9 }), key: fc.nat(60), forget: fc.boolean() });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200, size: "max" }), (moves) => {
      const aliases = new Aliases();
      const known = new Map<number, number>();
      for (const { ticket, key, forget } of moves) {
        if (forget) {
          aliases.forget(ticket);
          for (const [other, holder] of known) if (holder === ticket) known.delete(other);
        } else if (!known.has(key) && aliases.hasRoom(ticket)) {
          aliases.add(ticket, words(key), Uint32Array.of(key, 1));
          known.set(key, ticket);
        }
      }
      expect(aliases.size).toBe(known.size);
      for (let key = 0; key <= 60; key++) expect(aliases.get(words(key))).toBe(known.get(key) ?? 0);
      for (const key of known.keys()) {
        expect(aliases.sameRequest(words(key), Uint32Array.of(key, 1))).toBe(true);
        expect(aliases.sameRequest(words(key), Uint32Array.of(key, 2))).toBe(false);
      }
      for (let ticket = 1; ticket <= 9; ticket++) {
        const keys = aliases.of(ticket).map(({ key }) => key[1]!);
        expect(keys).toEqual([...known].filter(([, holder]) => holder === ticket).map(([key]) => key));
      }
    }),
    { seed: SEED },
  );
});

describe("a key under which somebody finds their ticket by their subject", () => {
  function checkout(settings = {}): Log {
    return new Log({ kind: "pass", key_retention_ms: 5 * SECOND, ...settings });
  }

  const find = (log: Log, key: number | undefined, digest = 1) =>
    log.say({
      kind: "ticket_issued",
      subject: hash(99),
      stored_request: false,
      adopt_key: true,
      ...(key === undefined ? {} : { key: hash(key), digest: hash(digest).subarray(8) }),
    });

  test("leads to that ticket after its end, and not to the subject's next, until it is forgotten", () => {
    const log = checkout();
    expect(find(log, undefined)).toMatchObject({ number: 1, existing: false });
    expect(find(log, 5)).toMatchObject({ number: 1, existing: true });
    log.say({ kind: "ticket_left", number: 1 });
    expect(find(log, undefined)).toMatchObject({ number: 2, existing: false });
    expect(find(log, 5)).toMatchObject({ number: 1, existing: true });
    expect(find(log, 5, 2)).toEqual({ kind: "refused", reason: "key_reused" });
    log.sleep(5 * SECOND);
    expect(log.queue.ticket(1)).toBeUndefined();
    expect(find(log, 5, 2)).toMatchObject({ number: 2, existing: true });
  });

  test("counts towards max_waiting, and is given back with its ticket", () => {
    const log = checkout({ max_waiting: 3 });
    find(log, undefined);
    for (const key of [1, 2, 3]) expect(find(log, key)).toMatchObject({ number: 1 });
    expect(find(log, 4)).toEqual({ kind: "refused", reason: "full" });
    expect(log.queue.refusalOf(hash(4), hash(99))).toBe("full");
    expect(() => log.issue()).toThrow("full");
    // Without a new key, nothing has to be remembered.
    expect(find(log, undefined)).toMatchObject({ number: 1 });
    expect(find(log, 3)).toMatchObject({ number: 1 });
    log.say({ kind: "ticket_completed", number: 1 });
    log.sleep(5 * SECOND);
    expect(find(log, 4)).toMatchObject({ number: 2, existing: false });
  });

  test("is refused where the ticket has as many as it may, and the others go on to count", () => {
    const log = checkout();
    find(log, undefined);
    for (let key = 1; key <= ALIASES_MAX; key++) expect(find(log, key)).toMatchObject({ number: 1 });
    expect(find(log, ALIASES_MAX + 1)).toEqual({ kind: "refused", reason: "full" });
    expect(log.queue.byKey(hash(ALIASES_MAX + 1), undefined)).toBeUndefined();
    for (let key = 1; key <= ALIASES_MAX; key++) expect(find(log, key)).toMatchObject({ number: 1 });
  });

  test("is taken in a queue that takes no newcomers: its holder is none", () => {
    const log = checkout();
    find(log, undefined);
    log.configure({ kind: "pass", mode: "closed" });
    expect(find(log, 5)).toMatchObject({ number: 1, existing: true });
    expect(log.queue.refusalOf(hash(6), hash(99))).toBeUndefined();
    expect(log.queue.refusalOf(hash(6), hash(98))).toBe("closed");
  });

  test("is not remembered by a record that was written before such keys were", () => {
    const log = checkout();
    const asked = { subject: hash(99), key: hash(5), digest: hash(1).subarray(8), stored_request: false };
    find(log, undefined);
    expect(log.say({ kind: "ticket_issued", ...asked })).toMatchObject({ number: 1, existing: true });
    log.say({ kind: "ticket_left", number: 1 });
    expect(log.say({ kind: "ticket_issued", ...asked })).toMatchObject({ number: 2, existing: false });
  });
});
