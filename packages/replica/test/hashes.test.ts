// Hashes tell apart whatever differs, and keep the length that the fold expects.

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hashes } from "../src/keys/hashes.ts";

const SEED = 2026;
const hashes = new Hashes(Buffer.alloc(32, 1));

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("a hash", () => {
  it("is of 16 bytes for who somebody is, of 8 for what is asked for", () => {
    expect(hashes.idempotencyKey("q", "", "key")).toHaveLength(16);
    expect(hashes.subject("q", "ann")).toHaveLength(16);
    expect(hashes.requestId("q", "", "id")).toMatch(/^[0-9a-f]{32}$/);
    expect(hashes.request(["GET", "/"])).toHaveLength(8);
  });

  it("is never the same for parts that are cut in another place, or left out", () => {
    const cuts = [
      ["ab", "c"],
      ["a", "bc"],
      ["abc"],
      ["abc", ""],
      ["", "abc"],
      ["ab", "", "c"],
      ["a", "b", "c"],
      [],
    ];
    expect(new Set(cuts.map((parts) => hex(hashes.request(parts)))).size).toBe(cuts.length);
  });

  it("is the same for the same parts, as text or as bytes, and different for different ones", () => {
    const parts = fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(hex(hashes.request(one)) === hex(hashes.request(other))).toBe(same);
        expect(hex(hashes.request(one.map((part) => Buffer.from(part))))).toBe(hex(hashes.request(one)));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("of the same words is another for another purpose, queue, caller or key of the deployment", () => {
    const all = [
      hex(hashes.idempotencyKey("q", "c", "k")),
      hex(hashes.idempotencyKey("q2", "c", "k")),
      hex(hashes.idempotencyKey("q", "c2", "k")),
      hex(hashes.idempotencyKey("q", "c", "k2")),
      hex(hashes.idempotencyKey("qc", "", "k")),
      hex(hashes.subject("q", "k")),
      hashes.requestId("q", "c", "k"),
      hex(new Hashes(Buffer.alloc(32, 2)).idempotencyKey("q", "c", "k")),
    ];
    expect(new Set(all).size).toBe(all.length);
    const digests = [hashes.credentials("k"), hashes.credentials("k2")];
    expect(new Set(digests).size).toBe(2);
  });

  it("stays what it is from version to version: it stands in logs", () => {
    const hmac = createHmac("sha256", Buffer.alloc(32, 1));
    for (const part of ["key", "orders", "key:backend", "a-key"]) {
      hmac.update(Uint8Array.of(part.length, 0, 0, 0)).update(part);
    }
    const expected = hmac.digest("hex").slice(0, 32);
    expect(hex(hashes.idempotencyKey("orders", "key:backend", "a-key"))).toBe(expected);
  });
});
