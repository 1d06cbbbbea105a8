// Who is told from whom, and what each may.

import { describe, expect, it } from "vitest";
import { Access, API_KEY_HEADER, type Caller, type Requirement } from "../src/index.ts";
import { Hashes } from "../src/keys/hashes.ts";
import { KEYS } from "./support/keys.ts";

const [backend, other] = KEYS.api_keys;

function accessWith(require: Requirement): Access {
  return new Access({ keys: KEYS, hashes: new Hashes(KEYS.hash), require });
}

function caller(headers: Record<string, string>, require: Requirement = "backends"): Caller {
  return accessWith(require).caller(new Headers(headers));
}

const withKey = (key: string) => ({ [API_KEY_HEADER]: key });

describe("a caller", () => {
  it("is its API key, else the hash of its credentials, else nobody", () => {
    expect(caller(withKey(backend!.key))).toEqual({ id: "key:backend", trusted: true });
    expect(caller({ ...withKey(other!.key), authorization: "Bearer x" }).id).toBe("key:other");
    const known = caller({ authorization: "Bearer x" });
    expect(known).toEqual({ id: expect.stringMatching(/^credentials:[\w-]{43}$/), trusted: false });
    expect(known.id).not.toContain("Bearer");
    expect(caller({ authorization: "Bearer x" })).toEqual(known);
    expect(caller({ authorization: "Bearer y" }).id).not.toBe(known.id);
    expect(caller({})).toEqual({ id: "", trusted: false });
  });

  it("with empty credentials is nobody: they tell it from nobody else", () => {
    expect(caller({ authorization: "" })).toEqual({ id: "", trusted: false });
    expect(caller({ authorization: "  " })).toEqual({ id: "", trusted: false });
  });

  it("with an API key of no account is refused, in every mode, and not taken for one without", () => {
    const wrong = ["", "x", backend!.key.slice(0, -1), `${backend!.key}x`, backend!.id, "x".repeat(100_000)];
    for (const require of ["backends", "all", "none"] as const) {
      for (const key of wrong) {
        for (const method of ["caller", "visitor", "backend"] as const) {
          const call = () => accessWith(require)[method](new Headers(withKey(key)));
          expect(call).toThrow(expect.objectContaining({ reason: "API_KEY_REQUIRED" }));
        }
      }
    }
  });

  it("is trusted with a long API key only when all of it is right", () => {
    const long = { id: "long", key: "k".repeat(600) };
    const access = new Access({
      keys: { ...KEYS, api_keys: [long] },
      hashes: new Hashes(KEYS.hash),
      require: "all",
    });
    expect(access.caller(new Headers(withKey(long.key))).id).toBe("key:long");
    for (const key of [long.key.slice(0, 512), `${long.key.slice(0, -1)}x`, `${long.key}k`])
      expect(() => access.caller(new Headers(withKey(key)))).toThrow();
  });
});

describe("a method", () => {
  const right = new Headers(withKey(backend!.key));
  const known = new Headers({ authorization: "Bearer x" });
  const nobody = new Headers();

  it.each<[Requirement, "visitor" | "backend", { known: boolean; nobody: boolean }]>([
    ["backends", "visitor", { known: true, nobody: true }],
    ["backends", "backend", { known: false, nobody: false }],
    ["all", "visitor", { known: false, nobody: false }],
    ["all", "backend", { known: false, nobody: false }],
    ["none", "visitor", { known: true, nobody: true }],
    ["none", "backend", { known: true, nobody: true }],
  ])("where %s need an API key lets a %s in without one: %j", (require, role, lets) => {
    const access = accessWith(require);
    const letsIn = (headers: Headers) => {
      try {
        access[role](headers);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ reason: "API_KEY_REQUIRED" });
        return false;
      }
    };
    expect({ known: letsIn(known), nobody: letsIn(nobody) }).toEqual(lets);
    expect(access[role](right)).toEqual({ id: "key:backend", trusted: true });
  });

  it("trusts everybody only where nobody needs an API key", () => {
    expect(accessWith("none").visitor(nobody).trusted).toBe(true);
    expect(accessWith("backends").visitor(nobody).trusted).toBe(false);
  });
});
