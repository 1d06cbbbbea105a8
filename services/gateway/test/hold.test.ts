// For how long a connection is held: as the route says, or as its client prefers, RFC 7240.

import { expect, test } from "vitest";
import type { EdgeRequest } from "../src/listener/exchange.ts";
import { holdOf } from "../src/waiting/hold.ts";

const ROUTE = {
  ...{ path: "/", service: "shop", hold_ms: 2_000, timeout_ms: 1_000 },
  ...{ idempotent: false, body_bytes: 1, response_bytes: 1 },
};

test.each([
  ["", 2_000, undefined],
  ["wait=5", 5_000, "wait=5"],
  ["WAIT = 5", 5_000, "wait=5"],
  ['wait="5"', 5_000, "wait=5"],
  ["wait=0", 0, "wait=0"],
  ["wait=999999", 55_000, "wait=55"],
  ["wait=5, wait=9", 5_000, "wait=5"],
  ["wait=5;x=y", 5_000, "wait=5"],
  ["return=minimal, wait=5", 5_000, "wait=5"],
  ["respond-async", 0, "respond-async"],
  ["respond-async, wait=5", 5_000, "wait=5"],
  ["wait=5, respond-async", 5_000, "wait=5"],
  ["wait=soon, respond-async", 0, "respond-async"],
  ["return=representation", 2_000, undefined],
  ["wait", 2_000, undefined],
  ["wait=-1", 2_000, undefined],
  ["wait=1.5", 2_000, undefined],
  ["wait=9999999", 2_000, undefined],
  ["await=5", 2_000, undefined],
  ["return=minimal; wait=5", 2_000, undefined],
  ['x="a, wait=5"', 2_000, undefined],
  ["x y, wait=5", 5_000, "wait=5"],
  [`x=${'"'.repeat(8_000)}`, 2_000, undefined],
  [" ".repeat(8_000), 2_000, undefined],
])("Prefer: %s", (prefer, ms, applied) => {
  const req = { headers: { prefer } } as unknown as EdgeRequest;
  expect(holdOf(ROUTE, req)).toEqual({ ms, applied });
});
