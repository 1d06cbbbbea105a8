// What proves that a holder holds a ticket, and that nothing else does.

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { epochOf, type TokenClaims, Tokens } from "../src/keys/tokens.ts";
import { only } from "./support/keys.ts";

const SEED = 2026;
const tokens = new Tokens({ tag: only(1) });

const anyClaims: fc.Arbitrary<TokenClaims> = fc.record({
  queue: fc.stringMatching(/^[a-z0-9._-]{1,64}$/),
  epoch: fc.stringMatching(/^[0-9a-f]{16}$/),
  number: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  as_of: fc.maxSafeNat(),
});

const claims: TokenClaims = { queue: "orders", epoch: epochOf("ab".repeat(16), 1), number: 4711, as_of: 12 };
const token = tokens.mint(claims);

function tagOf(key: Buffer, body: Buffer): Buffer {
  return createHmac("sha256", key).update(body).digest().subarray(0, 16);
}

describe("a token", () => {
  it("tells what it was made of", () => {
    fc.assert(
      fc.property(anyClaims, (claims) => {
        expect(tokens.verify(tokens.mint(claims))).toEqual(claims);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("of the longest queue's name is taken", () => {
    const longest = { ...claims, queue: "q".repeat(64), as_of: Number.MAX_SAFE_INTEGER, number: 2 ** 32 - 1 };
    expect(tokens.verify(tokens.mint(longest))).toEqual(longest);
  });

  it("is made of what may stand in an address and a header", () => {
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  it("cut off anywhere, at either end, proves nothing", () => {
    for (let length = 0; length < token.length; length++) {
      expect(tokens.verify(token.slice(0, length))).toBeUndefined();
      expect(tokens.verify(token.slice(length + 1))).toBeUndefined();
    }
  });

  it("with one bit changed anywhere proves nothing", () => {
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(tokens.verify(changed.toString("base64url")), `bit ${bit}`).toBeUndefined();
    }
  });

  it("spelled in another way proves nothing", () => {
    const base64 = Buffer.from(token, "base64url").toString("base64");
    const others = [
      `${token}=`,
      `${token} `,
      ` ${token}`,
      `${token}\n`,
      `${token}.`,
      `${token}A`,
      `${token}AA`,
    ];
    others.push(
      token.toUpperCase(),
      `${token.slice(0, 9)} ${token.slice(9)}`,
      `${token.slice(0, 9)}.${token.slice(9)}`,
    );
    if (base64 !== token) others.push(base64);
    // The bits that the last character has too many.
    const spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    others.push(...[...spare].map((last) => token.slice(0, -1) + last).filter((other) => other !== token));
    for (const other of others) expect(tokens.verify(other), other).toBeUndefined();
  });

  it("of another key, or none, proves nothing", () => {
    expect(new Tokens({ tag: only(2) }).verify(token)).toBeUndefined();
    const untagged = Buffer.from(token, "base64url").subarray(0, -16);
    expect(tokens.verify(untagged.toString("base64url"))).toBeUndefined();
    expect(tokens.verify(Buffer.concat([untagged, Buffer.alloc(16)]).toString("base64url"))).toBeUndefined();
  });

  it("of another version proves nothing, though its tag is right", () => {
    const key = Buffer.alloc(32, 1);
    const body = Buffer.from(token, "base64url").subarray(0, -16);
    for (const version of [0, 2, 255]) {
      const other = Buffer.from(body);
      other[0] = version;
      expect(tokens.verify(Buffer.concat([other, tagOf(key, other)]).toString("base64url"))).toBeUndefined();
    }
    // The tag is made as above.
    expect(tokens.verify(Buffer.concat([body, tagOf(key, body)]).toString("base64url"))).toEqual(claims);
  });

  it("of no queue, or a megabyte long, proves nothing", () => {
    const head = Buffer.from(token, "base64url").subarray(0, 21);
    const nameless = Buffer.concat([head, tagOf(Buffer.alloc(32, 1), head)]).toString("base64url");
    for (const other of [
      "",
      nameless,
      "A".repeat(1024 * 1024),
      `${token}${"A".repeat(1024 * 1024)}`,
      "é".repeat(40),
    ])
      expect(tokens.verify(other)).toBeUndefined();
  });

  it("guessed at random proves nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 110 }), (bytes) => {
        expect(tokens.verify(Buffer.from(bytes).toString("base64url"))).toBeUndefined();
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});

describe("an epoch", () => {
  it("is another for another log, and for another life of the queue", () => {
    const genesis = "ab".repeat(16);
    const epochs = [epochOf(genesis, 1), epochOf(genesis, 2), epochOf("ac".repeat(16), 1), epochOf("", 1)];
    expect(new Set(epochs).size).toBe(epochs.length);
    for (const epoch of epochs) expect(epoch).toMatch(/^[0-9a-f]{16}$/);
    expect(epochOf(genesis, 1)).toBe(epochs[0]);
  });
});
