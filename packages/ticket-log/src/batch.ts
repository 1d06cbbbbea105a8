// A batch as one block of bytes: it passes between threads by changing hands. Copying its hundreds of objects costs
// four times as much (measured), and copies whatever larger buffers their values are views of.
//
// A record: flags (1 byte), then what the flags say is there, each text and value behind its length (4 bytes,
// little-endian): the entry's key and value; its headers as JSON; the payload's session (8), sequence (8, a double),
// attempt (8, a double) and bytes; how many tickets' payloads to drop (4), and of each session and sequence (16).

import type { Payload, TicketKey } from "./log.ts";

const ENTRY = 1;
const HEADERS = 2;
const PAYLOAD = 4;
const DROPS = 8;
const TICKET_KEY_BYTES = 16;
const PAYLOAD_KEY_BYTES = 24;

/** An entry, a payload, an entry with its payload, or payloads to drop. */
export interface BatchRecord {
  readonly entry?: BatchEntry | undefined;
  readonly payload?: Payload | undefined;
  readonly drops?: readonly TicketKey[] | undefined;
}

export interface BatchEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** As JSON; absent mostly. */
  readonly headers?: string | undefined;
}

/** What the record takes in a batch, in bytes. */
export function packedBytes({ entry, payload, drops }: BatchRecord): number {
  let bytes = 1;
  if (entry) {
    bytes += 8 + Buffer.byteLength(entry.key) + entry.value.byteLength;
    if (entry.headers !== undefined) bytes += 4 + Buffer.byteLength(entry.headers);
  }
  if (payload) bytes += PAYLOAD_KEY_BYTES + 4 + payload.bytes.byteLength;
  if (drops) bytes += 4 + drops.length * TICKET_KEY_BYTES;
  return bytes;
}

export function pack(records: readonly BatchRecord[]): Uint8Array<ArrayBuffer> {
  let bytes = 0;
  for (const record of records) bytes += packedBytes(record);
  const buffer = Buffer.from(new ArrayBuffer(bytes));
  let at = 0;
  const text = (value: string) => {
    const length = buffer.write(value, at + 4);
    buffer.writeUInt32LE(length, at);
    at += 4 + length;
  };
  const blob = (value: Uint8Array) => {
    buffer.writeUInt32LE(value.byteLength, at);
    buffer.set(value, at + 4);
    at += 4 + value.byteLength;
  };
  const ticketKey = ({ session, sequence }: TicketKey) => {
    buffer.writeBigUInt64LE(session, at);
    buffer.writeDoubleLE(sequence, at + 8);
    at += TICKET_KEY_BYTES;
  };
  for (const { entry, payload, drops } of records) {
    const headers = entry?.headers;
    buffer[at++] =
      (entry ? ENTRY : 0) |
      (headers === undefined ? 0 : HEADERS) |
      (payload ? PAYLOAD : 0) |
      (drops ? DROPS : 0);
    if (entry) {
      text(entry.key);
      blob(entry.value);
      if (headers !== undefined) text(headers);
    }
    if (payload) {
      ticketKey(payload.key);
      buffer.writeDoubleLE(payload.key.attempt, at);
      at += PAYLOAD_KEY_BYTES - TICKET_KEY_BYTES;
      blob(payload.bytes);
    }
    if (drops) {
      buffer.writeUInt32LE(drops.length, at);
      at += 4;
      for (const key of drops) ticketKey(key);
    }
  }
  return buffer;
}

/** The records of a packed batch. Their bytes are views of it. */
export function unpack(batch: Uint8Array<ArrayBuffer>): BatchRecord[] {
  const buffer = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const records: BatchRecord[] = [];
  let at = 0;
  const length = () => {
    const value = buffer.readUInt32LE(at);
    at += 4;
    return value;
  };
  const text = () => {
    const end = length() + at;
    const value = buffer.toString("utf8", at, end);
    at = end;
    return value;
  };
  const blob = () => {
    const end = length() + at;
    const value = batch.subarray(at, end);
    at = end;
    return value;
  };
  const ticketKey = (): TicketKey => {
    const key = { session: buffer.readBigUInt64LE(at), sequence: buffer.readDoubleLE(at + 8) };
    at += TICKET_KEY_BYTES;
    return key;
  };
  const attempt = () => {
    const value = buffer.readDoubleLE(at);
    at += PAYLOAD_KEY_BYTES - TICKET_KEY_BYTES;
    return value;
  };
  while (at < buffer.byteLength) {
    const flags = buffer[at++]!;
    records.push({
      entry:
        flags & ENTRY
          ? { key: text(), value: blob(), headers: flags & HEADERS ? text() : undefined }
          : undefined,
      payload: flags & PAYLOAD ? { key: { ...ticketKey(), attempt: attempt() }, bytes: blob() } : undefined,
      drops: flags & DROPS ? Array.from({ length: length() }, ticketKey) : undefined,
    });
  }
  return records;
}
