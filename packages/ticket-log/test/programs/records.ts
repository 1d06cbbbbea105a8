// What the crash tests write: each record can be made again from its numbers, so that every byte can be checked.

import { createHash } from "node:crypto";
import type { Entry, Payload } from "../../src/index.ts";

export interface RecordId {
  readonly round: number;
  readonly n: number;
}

/** Up to 4 KiB, of a length of its own, with a checksum at its end. */
function bytes(kind: string, { round, n }: RecordId): Uint8Array {
  const name = `${kind} ${round} ${n} `;
  const hash = createHash("sha256").update(name).digest();
  const body = Buffer.concat([Buffer.from(name), Buffer.alloc(hash[0]! * 15, hash)]);
  return new Uint8Array(Buffer.concat([body, createHash("sha256").update(body).digest()]));
}

export function recordEntry(id: RecordId): Entry {
  return { key: `round ${id.round}`, value: bytes("entry", id), headers: { n: `${id.n}` } };
}

export function recordPayload(id: RecordId): Payload {
  return { key: { session: BigInt(id.round), sequence: id.n, attempt: 0 }, bytes: bytes("payload", id) };
}

/** Which record an entry is. Throws when one bit of it is wrong. */
export function recordId({ key, value, headers }: Entry): RecordId {
  const id = { round: Number(key.slice("round ".length)), n: Number(headers?.n) };
  if (!Buffer.from(recordEntry(id).value).equals(value))
    throw new Error(`the entry ${key}, ${headers?.n} is torn`);
  return id;
}
