// What waits to be written: checked, measured, and with the call to make when it has ended.

import { type BatchRecord, packedBytes } from "./batch.ts";
import { type LogLimits, refuseBeyond } from "./limits.ts";
import {
  type AppendOptions,
  type Entry,
  LogError,
  type Payload,
  type PayloadKey,
  type TicketKey,
} from "./log.ts";

/** Called once. No error: it is durable. */
export type Ended = (error?: LogError) => void;

export interface Operation {
  readonly record: BatchRecord;
  /** As followers get it; absent where no entry is appended. */
  readonly entry?: Entry | undefined;
  readonly urgent: boolean;
  /** What it counts for in a batch, and among what is pending. */
  readonly bytes: number;
  /** When it was accepted, by the monotonic clock. */
  readonly accepted_ms: number;
  readonly ended: Ended;
}

/** What forgetting one ticket's payloads counts for, in bytes: it is packed into less, but costs about that much. */
export const DROP_BYTES = 1024;

/** Throws a `LogError` for what is too large, a `TypeError` for what cannot be stored. */
export function append(entry: Entry, options: AppendOptions, limits: LogLimits, ended: Ended): Operation {
  const { key, value } = entry;
  if (typeof key !== "string") throw new TypeError("an entry's key is a string");
  checkBytes(value, "an entry's value");
  const { payload, urgent = false } = options;
  if (payload) checkPayload(payload, limits);
  const headers = headersOf(entry);
  for (const text of Object.values(headers ?? {}))
    if (typeof text !== "string") throw new TypeError("an entry's headers are strings");
  const json = headers && JSON.stringify(headers);
  const bytes =
    Buffer.byteLength(key) + value.byteLength + (json === undefined ? 0 : Buffer.byteLength(json));
  refuseBeyond(limits.entry_bytes_max, bytes, "an entry");
  const record = { entry: { key, value, headers: json }, payload };
  const delivered = headers ? { key, value, headers } : { key, value };
  return {
    record,
    entry: delivered,
    urgent,
    bytes: packedBytes(record),
    accepted_ms: performance.now(),
    ended,
  };
}

/** Throws as `append` does. */
export function put(payload: Payload, limits: LogLimits, ended: Ended): Operation {
  checkPayload(payload, limits);
  const record = { payload };
  return { record, urgent: false, bytes: packedBytes(record), accepted_ms: performance.now(), ended };
}

/** Throws a `LogError` for a list that is too long, a `TypeError` for what cannot be a key. */
export function drop(keys: readonly TicketKey[], limits: LogLimits, ended: Ended): Operation {
  if (keys.length > limits.drops_max) {
    throw new LogError(
      "too_large",
      `${keys.length} tickets' payloads in one call; at most ${limits.drops_max}`,
    );
  }
  for (const key of keys) checkKey({ ...key, attempt: 0 });
  return {
    record: { drops: keys },
    urgent: false,
    bytes: keys.length * DROP_BYTES,
    accepted_ms: performance.now(),
    ended,
  };
}

/** Throws a `TypeError`: before the key is among others in a batch, which it would take along. */
export function checkKey({ session, sequence, attempt }: PayloadKey): void {
  if (typeof session !== "bigint" || session < 0n || session >= 1n << 64n) {
    throw new TypeError("a payload's session is a bigint of 64 bits, not negative");
  }
  for (const number of [sequence, attempt]) {
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new TypeError("a payload's sequence and attempt are whole numbers, not negative");
    }
  }
}

function checkPayload({ key, bytes }: Payload, limits: LogLimits): void {
  checkKey(key);
  checkBytes(bytes, "a payload");
  refuseBeyond(limits.payload_bytes_max, bytes.byteLength, "a payload");
}

function checkBytes(value: Uint8Array, what: string): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} is a Uint8Array`);
}

/** No headers and empty ones are the same. */
function headersOf({ headers }: Entry): Entry["headers"] {
  return headers && Object.keys(headers).length > 0 ? headers : undefined;
}

/** A change to the store, as a promise of its end. */
export function change(begin: (ended: Ended) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
