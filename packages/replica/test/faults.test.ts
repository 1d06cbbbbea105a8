// Each promise is shown to be checked: a fault is planted in the shipped source, and the check of it notices.

import { describe, expect, test } from "vitest";
import { type Change, planted } from "../../../test/support/planted.ts";
import { type Code, crowd } from "./support/crowd.ts";
import { PROMISES, type Promised } from "./support/promises.ts";
import { stopClocks } from "./support/time.ts";

stopClocks();

interface Fault extends Change {
  /** What the replica does with it. */
  readonly does: string;
  readonly breaks: Promised;
}

const FAULTS: readonly Fault[] = [
  {
    does: "answers with the queue's last number instead of the record's own",
    breaks: "I1",
    file: "desk.ts",
    find: "return this.#issued(queue, outcome.number, outcome.existing);",
    replace: "return this.#issued(queue, queue.lastNumber, outcome.existing);",
  },
  {
    does: "mints every token for the number before",
    breaks: "I1",
    file: "keys/tokens.ts",
    find: "body.writeUInt32BE(claims.number, 9);",
    replace: "body.writeUInt32BE(Math.max(1, claims.number - 1), 9);",
  },
  {
    does: "answers callers by the sequence of whatever session is read",
    breaks: "I4",
    file: "log/appender.ts",
    find: "if (this.#session?.id === record.session) this.#session.folded",
    replace: "if (this.#session) this.#session.folded",
  },
  {
    does: "leaves keys out of the log",
    breaks: "I2",
    file: "log/codec.ts",
    find: "keyHash: event.key,",
    replace: "",
  },
  {
    does: "takes all callers for one",
    breaks: "I2",
    file: "keys/hashes.ts",
    find: 'this.#hash("key", [queue, caller, key])',
    replace: 'this.#hash("key", [queue, key])',
  },
  {
    does: "does not say what a key was used for",
    breaks: "I3",
    file: "desk.ts",
    find: "digest: key && wish.digest,",
    replace: "",
  },
  {
    does: "takes a fresh key for every call",
    breaks: "I3",
    file: "desk.ts",
    find: "hashes.idempotencyKey(queue.name, wish.caller.id, wish.key);\n    const subject",
    replace: "hashes.idempotencyKey(queue.name, String(Math.random()), wish.key);\n    const subject",
  },
  {
    does: "calls an unknown outcome a refusal",
    breaks: "I4",
    file: "log/session.ts",
    find: 'if (reason.outcome === "refused") this.#take(sequence)?.reject(reason);',
    replace: "this.#take(sequence)?.reject(new LogError(reason.code, reason.message));",
  },
  {
    does: "calls a record refused that the log does not answer in time",
    breaks: "I4",
    file: "log/session.ts",
    find: "this.#take(sequence)?.reject(unknown(",
    replace: 'this.#take(sequence)?.reject(new LogError("unavailable", ',
  },
  {
    does: "calls later records of a session refused when an earlier one is read",
    breaks: "I4",
    file: "log/session.ts",
    find: "if (pending > sequence) return;",
    replace: "",
  },
  {
    does: "takes any session's opening for that of a successor",
    breaks: "I4",
    file: "log/appender.ts",
    find: "this.#former.get(record.event.former)?.superseded();",
    replace: "for (const session of this.#former.values()) session.superseded();",
  },
  {
    does: "tells those that a successor passes over before it is in the log",
    breaks: "I4",
    file: "log/appender.ts",
    find: "    session.retire();\n    this.#session = undefined;\n    if (!session.settled)",
    replace:
      "    session.retire();\n    session.superseded();\n    this.#session = undefined;\n    if (!session.settled)",
  },
  {
    does: "appends a record again whose outcome is unknown",
    breaks: "I4",
    file: "log/appender.ts",
    find: "    const first = await (await this.#current()).append(event, options);",
    replace:
      "    const appended = (await this.#current()).append(event, options);\n" +
      "    const first = await appended.catch(async () => (await this.#current()).append(event, options));",
  },
  {
    does: "says of a new ticket that it was there, and of one that was there that it is new",
    breaks: "I4",
    file: "desk.ts",
    find: "return { ...place, token, existing };",
    replace: "return { ...place, token, existing: !existing };",
  },
];

/** How many histories a fault may take to show. */
const SEEDS_MAX = 200;

async function isCaught(code: Code, by: Promised): Promise<boolean> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    if (PROMISES[by](await crowd(code, seed)) !== undefined) return true;
  }
  return false;
}

describe("a replica that", () => {
  for (const fault of FAULTS) {
    test(`${fault.does} is caught by ${fault.breaks}`, async () => {
      expect(
        await isCaught(
          await planted<typeof import("../src/index.ts")>("packages/replica", fault),
          fault.breaks,
        ),
      ).toBe(true);
    });
  }
});

test("every promise has a fault that breaks it", () => {
  expect([...new Set(FAULTS.map(({ breaks }) => breaks))].sort()).toEqual(Object.keys(PROMISES).sort());
});

test("a fault whose place is no longer in the source is told, not passed over", async () => {
  const gone = { file: "desk.ts", find: "this text is not there", replace: "" };
  await expect(planted<typeof import("../src/index.ts")>("packages/replica", gone)).rejects.toThrow(
    "0 times",
  );
});
