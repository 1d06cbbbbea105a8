import { describe, expect, it } from "vitest";
import { Allowance } from "../src/allowance.ts";
import { type CallPolicy, check, isRefusal, normalise } from "../src/request-check.ts";

const POLICY: CallPolicy = { gzip: true, request_ms: 1, tool: false };
const GOOD = { ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" };
const POLICIES = new Map([["/a.B/C", POLICY]]);

describe("check", () => {
  it("lets every way of saying gRPC over protobuf pass", () => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]) {
      expect(check({ ...GOOD, "content-type": type }, POLICIES, 1_000)).toBe(POLICY);
    }
  });

  it("counts names, values and 32 a line", () => {
    const bytes = Object.entries(GOOD).reduce(
      (sum, [name, value]) => sum + name.length + value.length + 32,
      0,
    );
    expect(check(GOOD, POLICIES, bytes)).toBe(POLICY);
    expect(check(GOOD, POLICIES, bytes - 1)).toMatchObject({ grpc: 8 });
  });

  it("refuses without repeating what came", () => {
    for (const odd of [
      { ":path": "/marker" },
      { "grpc-encoding": "marker" },
      { "grpc-timeout": "marker" },
      { x: "marker\u00ff" },
    ]) {
      const answer = check({ ...GOOD, ...odd }, POLICIES, 1_000);
      expect(isRefusal(answer)).toBe(true);
      expect(JSON.stringify(answer)).not.toContain("marker");
    }
  });
});

describe("normalise", () => {
  it("keeps time-outs up to 24 days and drops longer ones, in every unit", () => {
    const kept = (timeout: string) => {
      const headers = { "grpc-timeout": timeout };
      normalise(headers);
      return "grpc-timeout" in headers;
    };
    expect(["596H", "35791M", "2147483S", "99999999m", "99999999u", "99999999n"].map(kept)).not.toContain(
      false,
    );
    expect(["597H", "35792M", "2147484S"].map(kept)).not.toContain(true);
  });
});

describe("an allowance", () => {
  it("gives its burst, then what time and calls earn, and never more than the burst", () => {
    let now = 0;
    const allowance = new Allowance(3, 2, () => now);
    const taken = (tries: number) =>
      Array.from({ length: tries }, () => allowance.take()).filter(Boolean).length;
    expect(taken(10)).toBe(3);
    now += 1_000;
    expect(taken(10)).toBe(2);
    allowance.earn(1);
    expect(taken(10)).toBe(1);
    now += 1_000_000;
    expect(taken(10)).toBe(3);
  });
});
