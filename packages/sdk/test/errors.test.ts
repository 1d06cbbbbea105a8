// The client's closed set of errors, the contract's reasons and the README's table are the same. What the server sends is
// held to the contract by its own tests.

import { readFileSync } from "node:fs";
import { ErrorReason } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { CLIENT_ERRORS, codeOf, type ErrorKind, SERVER_ERRORS } from "../src/errors.ts";
import { type ErrorCode, UsherError } from "../src/index.ts";

const PROTO = readFileSync(new URL("../../../proto/usher/queue/v1/queue.proto", import.meta.url), "utf8");
const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");

const ALL: Readonly<Record<string, ErrorKind>> = { ...SERVER_ERRORS, ...CLIENT_ERRORS };

/** Each reason of the contract, as the client has it, and the words about it, on one line. */
function documented(): Map<string, string> {
  const body = /enum ErrorReason \{(.*?)^\}/ms.exec(PROTO)?.[1] ?? "";
  const entries = [...body.matchAll(/((?:^ *\/\/.*\n)+) *ERROR_REASON_(\w+) = [1-9]\d*;/gm)];
  return new Map(
    entries.map(([, comment = "", name = ""]) => [
      name.toLowerCase(),
      comment.replaceAll(/\s*\/\/\s*/g, " "),
    ]),
  );
}

/** The codes of the README's tables of errors, with what stands beside them. */
function tabled(): Map<string, { readonly retryable: string; readonly outcome: string }> {
  const rows = README.matchAll(/^\| `(\w+)` +\| (yes|no) +\| (refused|unknown) +\|/gm);
  return new Map(
    [...rows].map(([, code = "", retryable = "", outcome = ""]) => [code, { retryable, outcome }]),
  );
}

describe("what a server refuses with", () => {
  it("is the closed set of the contract, without the prefix and in small letters", () => {
    const generated = Object.keys(ErrorReason).filter((name) => /^[A-Z]/.test(name));
    const codes = generated.filter((name) => name !== "UNSPECIFIED").map((name) => name.toLowerCase());
    expect(Object.keys(SERVER_ERRORS).sort()).toEqual(codes.sort());
    expect([...documented().keys()].sort()).toEqual(codes.sort());
  });

  it.each([...documented()])(
    "%s can be retried, and may have happened, where the contract says so",
    (code, words) => {
      const { retryable, outcome } = new UsherError(code as ErrorCode, "");
      expect(retryable, words).toBe(/(?<!Do not )\b[Rr]etry\b|will tell/.test(words));
      // Of a failure inside, nobody knows how far it had come.
      expect(outcome, words).toBe(
        /may have (taken|happened)|failed inside/.test(words) ? "unknown" : "refused",
      );
    },
  );

  it("is found by the contract's name, and by no other", () => {
    for (const code of Object.keys(SERVER_ERRORS)) expect(codeOf(code.toUpperCase())).toBe(code);
    for (const name of ["A_NEWER_REASON", "unreachable", "toString", undefined])
      expect(codeOf(name)).toBeUndefined();
  });
});

describe("the README's table of errors", () => {
  it("has every code once, and says of each what the code says of itself", () => {
    const codes = [...README.matchAll(/^\| `(\w+)` +\| (?:yes|no) /gm)].map(([, code]) => code);
    expect([...codes].sort()).toEqual(Object.keys(ALL).sort());
    const said = Object.entries(ALL).map(([code, { retryable, outcome }]): [string, object] => [
      code,
      { retryable: retryable ? "yes" : "no", outcome },
    ]);
    expect(Object.fromEntries(tabled())).toEqual(Object.fromEntries(said));
  });
});

it("no code is both a server's and the client's own", () => {
  expect(Object.keys(SERVER_ERRORS).filter((code) => code in CLIENT_ERRORS)).toEqual([]);
});
