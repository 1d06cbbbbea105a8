// Records as bytes: every kind there and back, and nothing that is no record taken for one.

import { fromBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema } from "@usher/protocol/log";
import type { LogEvent, LogRecord, Settings } from "@usher/queue";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pick, random } from "../../../test/support/random.ts";
import { decodeRecord, encodeRecord, FORMAT_LEVEL } from "../src/log/codec.ts";
import { envelope, recordBytes } from "./support/envelope.ts";

const SEED = 2026;

/** The levels of format that kinds came with, beside the first. */
const LEVELS: Readonly<Record<string, number>> = { request_retried: 2, session_extended: 3 };

const u32 = fc.nat({ max: 2 ** 32 - 1 });
/** As whole numbers of JavaScript hold them. */
const u53 = fc.maxSafeNat();
const session = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "binary-ascii", maxLength: 80 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hex = (length: number) => bytes(length).map((value) => Buffer.from(value).toString("hex"));
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const one = { queue: text, number: u32 };
const actor = sometimes(fc.string({ minLength: 1, maxLength: 64 }));

const settings: fc.Arbitrary<Settings> = fc.record({
  kind: fc.constantFrom("defer", "pass"),
  mode: fc.constantFrom("auto", "queue_all", "paused", "open", "closed"),
  rate_thousandths: u32,
  max_active: u32,
  max_wait_ms: u53,
  max_waiting: u32,
  session_ms: u53,
  key_retention_ms: u53,
  attempts: u32,
  notice: fc.string({ maxLength: 500 }),
});

/** One for each kind: the type sees to it that none is missing. */
const events: { [Kind in LogEvent["kind"]]: fc.Arbitrary<Omit<Extract<LogEvent, { kind: Kind }>, "kind">> } =
  {
    genesis: fc.record({ id: hex(16) }),
    session_opened: fc.record({ former: session, node: fc.string() }),
    term_opened: fc.record({ term: u32 }),
    term_closed: fc.record({ term: u32 }),
    tick: fc.record({ term: u32, elapsed_ms: u32 }),
    queue_configured: fc.record({ queue: text, revision: u32, settings, reason: fc.string(), actor }),
    ticket_issued: fc.record({
      queue: text,
      key: sometimes(bytes(16)),
      subject: sometimes(bytes(16)),
      digest: sometimes(bytes(8)),
      stored_request: fc.boolean(),
      adopt_key: fc.constantFrom(true, undefined),
    }),
    ticket_left: fc.record(one),
    admit_requested: fc.record({
      queue: text,
      request_id: hex(16),
      who: fc.oneof(fc.record({ count: u32 }), fc.record({ number: u32 })),
    }),
    dispatch_claimed: fc.record({ ...one, attempt: u32, timeout_ms: u32, idempotent: fc.boolean() }),
    claim_released: fc.record({
      ...one,
      attempt: u32,
      not_before_ms: u32,
      reason: fc.constantFrom("refused", "not_connected", "draining", "lost", "timed_out", "payload_gone"),
    }),
    request_answered: fc.record({ ...one, attempt: u32, status: u32 }),
    ticket_completed: fc.record(one),
    request_retried: fc.record({ ...one, reason: fc.string(), actor }),
    session_extended: fc.record({ ...one, pass_over: fc.constantFrom(true, undefined) }),
  };

const anyEvent = fc.oneof(
  ...Object.entries(events).map(([kind, rest]) => rest.map((fields) => ({ kind, ...fields }) as LogEvent)),
);

const anyRecord: fc.Arbitrary<LogRecord> = fc.record({
  session,
  sequence: u32,
  wall_ms: fc.maxSafeInteger(),
  event: anyEvent,
});

describe("a record", () => {
  for (const [kind, rest] of Object.entries(events)) {
    it(`of kind ${kind} comes back from its bytes as it was`, () => {
      const record = fc.record({ session, sequence: u32, wall_ms: fc.maxSafeInteger(), fields: rest });
      fc.assert(
        fc.property(record, ({ fields, ...outside }) => {
          const event = { kind, ...fields } as LogEvent;
          expect(decodeRecord(encodeRecord({ ...outside, event }))).toEqual({
            kind: "record",
            record: { ...outside, event },
          });
        }),
        { seed: SEED, numRuns: 60 },
      );
    });
  }

  it("is the envelope that log.proto describes, checksum included", () => {
    fc.assert(
      fc.property(anyRecord, ({ session, sequence, wall_ms, event }) => {
        const bytes = encodeRecord({ session, sequence, wall_ms, event });
        const { record } = fromBinary(EnvelopeSchema, bytes);
        const isPassOver = "pass_over" in event && event.pass_over;
        const level = "adopt_key" in event && event.adopt_key ? 3 : (LEVELS[event.kind] ?? 1);
        const format_level = isPassOver ? 4 : level;
        const parts = { format_level, session, sequence, wall_ms, record };
        expect(Buffer.from(bytes)).toEqual(Buffer.from(envelope(parts)));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  // A bit in a field's tag may make no difference to what is read; then it is no damage.
  it("with any one bit changed is never read as another record, wherever the bit is", () => {
    const next = random(SEED);
    for (const record of fc.sample(anyRecord, { seed: SEED, numRuns: 60 })) {
      const bytes = encodeRecord(record);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= 1 << pick(next, 8);
        const decoded = decodeRecord(changed);
        if (decoded.kind !== "bad") expect(decoded).toEqual({ kind: "record", record });
      }
    }
  });

  it("with any byte replaced is never read as another record; and mostly as none", () => {
    const event = { kind: "ticket_left", queue: "orders", number: 7 } as const;
    const record = { session: 2n ** 63n + 1n, sequence: 3, wall_ms: 1_700_000_000_000, event };
    const bytes = encodeRecord(record);
    let harmless = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        if (value === bytes[at]) continue;
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        const decoded = decodeRecord(changed);
        if (decoded.kind === "bad") continue;
        expect(decoded, `byte ${at} as ${value}`).toEqual({ kind: "record", record });
        harmless++;
      }
    }
    expect(harmless).toBeLessThan(bytes.length);
  });

  it("cut off anywhere is told from a record", () => {
    for (const record of fc.sample(anyRecord, { seed: SEED, numRuns: 60 })) {
      const bytes = encodeRecord(record);
      for (let length = 0; length < bytes.length; length++) {
        expect(decodeRecord(bytes.subarray(0, length))).toMatchObject({ kind: "bad" });
      }
    }
  });
});

describe("bytes that are no record of this build", () => {
  it("are never a reason to throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeRecord(bytes).kind).toBe("bad");
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it("are never a reason to throw inside an envelope that is right", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (record) => {
        expect(["bad", "record"]).toContain(decodeRecord(envelope({ record })).kind);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it.each<[string, Uint8Array]>([
    ["nothing inside", new Uint8Array()],
    ["a kind that is not known", Uint8Array.of(0x9a, 0x06, 0x00)],
    ["a text that is not UTF-8", Uint8Array.of(0x42, 0x03, 0x0a, 0x01, 0xff)],
    ["a field of the wrong type", Uint8Array.of(0x28, 0x01)],
    ["an admit that does not say whom", recordBytes({ case: "admitRequested", value: {} })],
    ["a release without a reason", recordBytes({ case: "claimReleased", value: {} })],
    ["a queue of no known kind", recordBytes({ case: "queueConfigured", value: {} })],
  ])("have no effect with %s", (_, record) => {
    expect(decodeRecord(envelope({ record })).kind).toBe("bad");
  });

  it("are told apart when a newer build wrote them: by whom, and in which format", () => {
    const bytes = envelope({ format_level: FORMAT_LEVEL + 1, session: 9n, record: Uint8Array.of(1, 2, 3) });
    expect(decodeRecord(bytes)).toEqual({ kind: "newer", session: 9n, format_level: FORMAT_LEVEL + 1 });
    const damaged = envelope({ format_level: FORMAT_LEVEL + 1, session: 9n, checksum: 1 });
    expect(decodeRecord(damaged).kind).toBe("bad");
  });
});
