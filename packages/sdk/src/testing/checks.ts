// The bounds of what callers may say, as the contract documents them.

import { UsherError } from "../errors.ts";
import type { IssueCall } from "../rpc/rpc.ts";

const QUEUE_NAME = /^[a-z0-9._-]{1,64}$/;
const KEY = /^[\x20-\x7e]{1,255}$/;
const SUBJECT_BYTES_MAX = 256;
const ATTRIBUTES_MAX = 16;
const ATTRIBUTE_NAME_BYTES_MAX = 64;
const ATTRIBUTE_VALUE_BYTES_MAX = 256;

/** Without an API key, an idempotency key alone says who calls. */
const KEY_LENGTH_MIN = 22;

/** Who calls: a backend, by its API key, or anybody. */
export interface Caller {
  /** "" for nobody. */
  readonly id: string;
  /** Has an API key. */
  readonly trusted: boolean;
}

export function invalid(field: string, message: string): UsherError {
  return new UsherError("invalid_field", `${field}: ${message}`);
}

export function checkQueueName(name: string): void {
  if (!QUEUE_NAME.test(name)) throw invalid("queue", "1 to 64 of a-z 0-9 - _ . make a queue's name");
}

export function checkRequestId(id: string): void {
  if (!KEY.test(id)) throw invalid("request_id", "1 to 255 printable ASCII characters are needed");
}

export function checkIssue(
  { queue, idempotencyKey, subject = "", attributes }: IssueCall,
  caller: Caller,
): void {
  checkQueueName(queue);
  if (idempotencyKey !== "") checkKey(idempotencyKey, caller);
  if (subject !== "" && !caller.trusted)
    throw new UsherError("api_key_required", "subject: only callers with an API key may name one");
  if (bytesOf(subject) > SUBJECT_BYTES_MAX) throw invalid("subject", `at most ${SUBJECT_BYTES_MAX} bytes`);
  const entries = Object.entries(attributes ?? {});
  if (entries.length > ATTRIBUTES_MAX) throw invalid("attributes", `at most ${ATTRIBUTES_MAX}`);
  for (const [name, value] of entries) {
    if (name === "" || bytesOf(name) > ATTRIBUTE_NAME_BYTES_MAX)
      throw invalid("attributes", `a name has 1 to ${ATTRIBUTE_NAME_BYTES_MAX} bytes`);
    if (bytesOf(value) > ATTRIBUTE_VALUE_BYTES_MAX)
      throw invalid("attributes", `a value has at most ${ATTRIBUTE_VALUE_BYTES_MAX} bytes`);
  }
}

/** A key of nobody in particular must not be guessable. */
function checkKey(key: string, caller: Caller): void {
  if (!KEY.test(key)) throw invalid("idempotency_key", "must be 1 to 255 printable ASCII characters");
  if (caller.id !== "" || key.length >= KEY_LENGTH_MIN) return;
  const what = `without an API key or credentials, at least ${KEY_LENGTH_MIN} characters are needed`;
  throw new UsherError("key_too_short", `idempotency_key: ${what}`);
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
