// The bounds of what callers may say, as `queue.proto` documents them.

import type { IssueRequest } from "@usher/protocol/queue";
import type { Queue } from "@usher/queue";
import { API_KEY_HEADER, type Caller, KEY_LENGTH_MIN } from "../access.ts";
import { UsherError } from "./errors.ts";

const QUEUE_NAME = /^[a-z0-9._-]{1,64}$/;
const KEY = /^[\x20-\x7e]{1,255}$/;
const SUBJECT_BYTES_MAX = 256;
const ATTRIBUTES_MAX = 16;
const ATTRIBUTE_NAME_BYTES_MAX = 64;
const ATTRIBUTE_VALUE_BYTES_MAX = 256;

export function invalid(field: string, message: string): UsherError {
  return new UsherError("INVALID_FIELD", `${field}: ${message}`, { field });
}

export function checkQueueName(name: string): void {
  if (!QUEUE_NAME.test(name)) throw invalid("queue", "1 to 64 of a-z 0-9 - _ . make a queue's name");
}

export function checkRequestId(id: string): void {
  if (!KEY.test(id)) throw invalid("request_id", "1 to 255 printable ASCII characters are needed");
}

/** A key of nobody in particular must not be guessable. */
export function checkIdempotencyKey(key: string, caller: Caller): void {
  if (!KEY.test(key)) throw invalid("idempotency_key", "must be 1 to 255 printable ASCII characters");
  if (caller.id === "" && key.length < KEY_LENGTH_MIN) {
    throw new UsherError(
      "KEY_TOO_SHORT",
      `idempotency_key: without an API key or credentials, at least ${KEY_LENGTH_MIN} characters are needed`,
      { field: "idempotency_key" },
    );
  }
}

/** How many tickets a state may have to be told in digests. The node stands still for 2.6 µs each. */
export const STATE_TICKETS_MAX = 2_000_000;

export function checkStateSize(queues: readonly Pick<Queue, "waiting" | "active" | "remembered">[]): void {
  const tickets = queues.reduce(
    (sum, { waiting, active, remembered }) => sum + waiting + active + remembered,
    0,
  );
  if (tickets <= STATE_TICKETS_MAX) return;
  throw new UsherError(
    "OVERLOADED",
    `There are ${tickets} tickets, and for more than ${STATE_TICKETS_MAX} this node would stand still for too long; ` +
      "ask for one queue.",
  );
}

/** Whether a caller may have a ticket without a stored request. In a `defer` queue that holds a slot for a whole session,
 * which belongs to the requests that others send: a few calls would stop the queue. */
export function checkMayHold({ name, settings }: Pick<Queue, "name" | "settings">, caller: Caller): void {
  if (settings.kind !== "defer" || caller.trusted) return;
  throw new UsherError(
    "API_KEY_REQUIRED",
    `queue: in ${name} requests wait (kind DEFER), and a ticket without one holds a slot for a whole session, so Issue ` +
      `needs an API key there, in the header ${API_KEY_HEADER}; without one, send the request itself to the gateway, ` +
      "which stores it with a ticket where it has to wait.",
    { field: "queue" },
  );
}

export function checkIssue(request: IssueRequest, caller: Caller): void {
  checkQueueName(request.queue);
  if (request.idempotencyKey !== "") checkIdempotencyKey(request.idempotencyKey, caller);
  if (request.subject !== "" && !caller.trusted) {
    throw new UsherError("API_KEY_REQUIRED", "subject: only callers with an API key may name one", {
      field: "subject",
    });
  }
  if (Buffer.byteLength(request.subject) > SUBJECT_BYTES_MAX) {
    throw invalid("subject", `at most ${SUBJECT_BYTES_MAX} bytes`);
  }
  const attributes = Object.entries(request.attributes);
  if (attributes.length > ATTRIBUTES_MAX) throw invalid("attributes", `at most ${ATTRIBUTES_MAX}`);
  for (const [name, value] of attributes) {
    if (name === "" || Buffer.byteLength(name) > ATTRIBUTE_NAME_BYTES_MAX) {
      throw invalid("attributes", `a name has 1 to ${ATTRIBUTE_NAME_BYTES_MAX} bytes`);
    }
    if (Buffer.byteLength(value) > ATTRIBUTE_VALUE_BYTES_MAX) {
      throw invalid("attributes", `a value has at most ${ATTRIBUTE_VALUE_BYTES_MAX} bytes`);
    }
  }
}
