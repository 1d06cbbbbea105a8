// What is stored can be opened under its own name, with its own key, as it was; and in no other way.

import { createCipheriv } from "node:crypto";
import type { PayloadKey } from "@usher/ticket-log";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cipher } from "../src/keys/cipher.ts";
import type { Secret } from "../src/keys/keys.ts";
import { only } from "./support/keys.ts";

const SEED = 2026;
const cipher = new Cipher({ encryption: only(3) });
const name: PayloadKey = { session: 2n ** 63n + 5n, sequence: 7, attempt: 0 };
const plain = Buffer.from("the card's number is secret");

describe("what is sealed", () => {
  it("is opened under the same name and key, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(Buffer.from(cipher.open(name, cipher.seal(name, bytes))!)).toEqual(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("shows nothing of what it is, and looks different each time", () => {
    const [first, second] = [cipher.seal(name, plain), cipher.seal(name, plain)].map((sealed) =>
      Buffer.from(sealed),
    );
    expect(first!.includes(plain.subarray(0, 4))).toBe(false);
    expect(first!.equals(second!)).toBe(false);
    expect(first!.subarray(1, 13).equals(second!.subarray(1, 13))).toBe(false);
  });

  it("is not opened under the name of another payload", () => {
    const sealed = cipher.seal(name, plain);
    const others: PayloadKey[] = [
      { ...name, session: 5n },
      { ...name, sequence: 8 },
      { ...name, attempt: 1 },
      { session: name.session, sequence: name.attempt, attempt: name.sequence },
    ];
    for (const other of others) expect(cipher.open(other, sealed)).toBeUndefined();
  });

  it("before keys had ids is opened with the first of them", () => {
    const [first, second] = [only(3), only(4)];
    const nonce = Buffer.alloc(12, 7);
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(name.session, 0);
    bytes.writeUInt32LE(name.sequence, 8);
    const former = createCipheriv("aes-256-gcm", Buffer.alloc(32, 3), nonce).setAAD(bytes);
    const body = Buffer.concat([former.update(plain), former.final()]);
    const sealed = Buffer.concat([Buffer.of(1), nonce, former.getAuthTag(), body]);
    const open = (encryption: Secret[]) => new Cipher({ encryption }).open(name, sealed);
    expect(Buffer.from(open([...first, ...second])!)).toEqual(plain);
    expect(open([...second, ...first])).toBeUndefined();
  });

  it("is not opened with another key", () => {
    expect(new Cipher({ encryption: only(4) }).open(name, cipher.seal(name, plain))).toBeUndefined();
  });

  it("is not opened with any one bit changed", () => {
    const sealed = cipher.seal(name, plain);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(cipher.open(name, changed), `bit ${bit}`).toBeUndefined();
    }
  });

  it("is not opened cut off anywhere, or made longer", () => {
    const sealed = cipher.seal(name, plain);
    for (let length = 0; length < sealed.length; length++) {
      expect(cipher.open(name, sealed.subarray(0, length))).toBeUndefined();
    }
    expect(cipher.open(name, Buffer.concat([sealed, Buffer.of(0)]))).toBeUndefined();
  });
});
