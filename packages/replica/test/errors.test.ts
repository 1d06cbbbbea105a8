// The contract's reasons, the code's table, and what callers meet are the same.

import { readFileSync } from "node:fs";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { ErrorReason } from "@usher/protocol/queue";
import { LogError } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { type Reason, UsherError } from "../src/index.ts";
import { CODES } from "../src/rpc/errors.ts";

const PROTO = readFileSync(new URL("../../../proto/usher/queue/v1/queue.proto", import.meta.url), "utf8");

/** As protobuf and gRPC spell it: `NotFound` is NOT_FOUND. */
function spelled(code: Code): string {
  return Code[code].replace(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase();
}

/** Each reason's code, as the comments of `queue.proto` end. */
function documented(): Record<string, string> {
  const body = /enum ErrorReason \{(.*?)^\}/ms.exec(PROTO)![1]!;
  const entries = [...body.matchAll(/((?:^ *\/\/.*\n)+) *ERROR_REASON_(\w+) = (\d+);/gm)];
  return Object.fromEntries(
    entries.map(([, comment, name]) => [name, / ([A-Z_]+)\.\s*$/.exec(comment!.trim())?.[1] ?? "none"]),
  );
}

describe("every reason for a refusal", () => {
  it("has the code that the contract says it has", () => {
    const { UNSPECIFIED, ...said } = documented();
    expect(UNSPECIFIED).toBe("none");
    const actual = Object.entries(CODES).map(([reason, code]) => [reason, spelled(code)]);
    expect(said).toEqual(Object.fromEntries(actual));
  });

  it("is in the generated contract, in the code's table, and nowhere else", () => {
    const generated = Object.keys(ErrorReason).filter(
      (name) => /^[A-Z]/.test(name) && name !== "UNSPECIFIED",
    );
    expect(Object.keys(CODES).sort()).toEqual(generated.sort());
    expect(Object.keys(documented()).length).toBe(generated.length + 1);
  });

  it("tells to try again exactly where the contract says that this makes sense", () => {
    const body = /enum ErrorReason \{(.*?)^\}/ms.exec(PROTO)![1]!;
    for (const reason of Object.keys(CODES) as Reason[]) {
      const comment = new RegExp(`((?:^ *//.*\\n)+) *ERROR_REASON_${reason} =`, "m").exec(body)![1]!;
      // As one line: a sentence may go over two.
      const words = comment.replaceAll(/\s*\/\/\s*/g, " ");
      const again = /(?<!Do not[\s/]+)\b[Rr]etry\b|will tell/.test(words);
      expect(new UsherError(reason, "").retry_ms !== undefined, reason).toBe(again);
    }
  });
});

const INSIDE = "/data/log.db: I/O error";

describe("an error of the log", () => {
  it.each<[string, LogError, Reason]>([
    [
      "whose outcome is unknown",
      new LogError("unavailable", INSIDE, { outcome: "unknown" }),
      "OUTCOME_UNKNOWN",
    ],
    ["that is full for now", new LogError("overloaded", INSIDE), "OVERLOADED"],
    ["that found it too large", new LogError("too_large", INSIDE), "INVALID_FIELD"],
    ["that is closed", new LogError("closed", INSIDE), "NOT_READY"],
    ["on a full disk", new LogError("disk_full", INSIDE), "LOG_UNAVAILABLE"],
    ["that cannot be reached", new LogError("unavailable", INSIDE), "LOG_UNAVAILABLE"],
    ["that is damaged", new LogError("corrupt", INSIDE), "LOG_UNAVAILABLE"],
  ])("%s is told as what it means to a caller, and shows nothing of the inside", (_, error, reason) => {
    const told = UsherError.of(error);
    expect(told).toMatchObject({ reason, code: CODES[reason] });
    expect(told.message).not.toContain(INSIDE);
  });
});

describe("any other error", () => {
  it("is INTERNAL, and says nothing of itself", () => {
    const told = UsherError.of(new TypeError("secret is not a function"));
    expect(told).toMatchObject({ reason: "INTERNAL", code: Code.Internal });
    expect(told.message).not.toContain("secret");
    expect(told.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "INTERNAL", domain: "usher", metadata: {} },
    ]);
  });

  it("of Connect itself stays what it is, and is not taken for one of Usher's", () => {
    const error = new ConnectError("too slow", Code.DeadlineExceeded);
    expect(UsherError.of(error)).toBe(error);
    expect(error).not.toBeInstanceOf(UsherError);
    expect(new UsherError("BEHIND", "")).toBeInstanceOf(UsherError);
  });
});
