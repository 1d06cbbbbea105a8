// How entries and payloads are written in Kafka, and read from there. Whatever strangers have written is read as
// something, too: nothing here throws.

import { randomBytes } from "node:crypto";
import type { IHeaders, KafkaMessage, Message } from "kafkajs";
import { BATCH } from "../limits.ts";
import type { Entry, Payload, PayloadKey, StoredEntry } from "../log.ts";

/** A payload goes in parts of this many bytes at most: half of what a broker takes in one message by default. */
export const PART_BYTES = BATCH.bytes;

/** What a record takes beside its key, value and headers at most, in bytes. */
export const RECORD_OVERHEAD_BYTES = 64;

/** The headers of a payload's record: when it was stored, by the writer's clock; which part it is ("2/5"), and of
 * which put, where there are several. */
const STORED = "stored-ms";
const PART = "part";
const PUT = "put";

/** A part of a payload, as a reader finds it. */
export interface PayloadPart {
  readonly offset: number;
  readonly key: PayloadKey;
  readonly stored_ms: number;
  /** Tells the parts of one put from those of another of the same key; empty where there is one part. */
  readonly put: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  readonly bytes: Uint8Array;
}

export function messageOf({ key, value, headers }: Entry): Message {
  return { key: Buffer.from(key), value: bufferOf(value), ...(headers && { headers: { ...headers } }) };
}

/** Each value with bytes of its own: one that is kept must not keep all that was fetched with it. */
export function entryOf(message: KafkaMessage, offset: number): StoredEntry {
  const { key, value } = message;
  const headers = headersOf(message.headers);
  const entry = { offset, key: key?.toString() ?? "", value: new Uint8Array(value ?? []) };
  return headers ? { ...entry, headers } : entry;
}

export function messagesOf({ key, bytes }: Payload, stored_ms: number): Message[] {
  const parts = Math.max(1, Math.ceil(bytes.byteLength / PART_BYTES));
  const put = parts === 1 ? "" : randomBytes(8).toString("hex");
  return Array.from({ length: parts }, (_, index) => ({
    key: `${key.session}/${key.sequence}/${key.attempt}`,
    value: bufferOf(bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)),
    headers: {
      [STORED]: String(stored_ms),
      ...(parts > 1 && { [PART]: `${index + 1}/${parts}`, [PUT]: put }),
    },
  }));
}

/** Absent: no payload's record. */
export function partOf(message: KafkaMessage, offset: number): PayloadPart | undefined {
  const key = payloadKeyOf(message.key?.toString() ?? "");
  if (key === undefined || message.value === null) return undefined;
  const headers = headersOf(message.headers) ?? {};
  const stored_ms = Number(headers[STORED] ?? message.timestamp);
  const [, part = "1", parts = "1"] = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(headers[PART] ?? "1/1") ?? [
    "",
    "2",
  ];
  if (!Number.isSafeInteger(stored_ms) || stored_ms < 0 || Number(part) > Number(parts)) return undefined;
  return {
    offset,
    key,
    stored_ms,
    put: headers[PUT] ?? "",
    part: Number(part),
    parts: Number(parts),
    bytes: message.value,
  };
}

function payloadKeyOf(text: string): PayloadKey | undefined {
  const [, session, sequence, attempt] = /^(\d{1,20})\/(\d{1,16})\/(\d{1,16})$/.exec(text) ?? [];
  if (session === undefined) return undefined;
  const key = { session: BigInt(session), sequence: Number(sequence), attempt: Number(attempt) };
  const whole = Number.isSafeInteger(key.sequence) && Number.isSafeInteger(key.attempt);
  return whole && key.session < 1n << 64n ? key : undefined;
}

/** No headers and empty ones are the same. Of one that is there twice the last counts. */
function headersOf(raw: IHeaders | undefined): Record<string, string> | undefined {
  const names = Object.keys(raw ?? {});
  if (raw === undefined || names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, textOf(raw[name])]));
}

/** kafkajs makes lists of headers that are there twice, and of those that are named as what every object inherits. */
function textOf(value: IHeaders[string]): string {
  const last = Array.isArray(value) ? value.findLast((each) => Buffer.isBuffer(each)) : value;
  return last?.toString() ?? "";
}

/** kafkajs knows no other bytes. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
