// The outside of a record, from the published schema: to be read without the product's code, and to be forged.

import { crc32 } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema } from "@usher/protocol/log";

export function checksumOf({
  formatLevel,
  session,
  sequence,
  wallTimeMs,
  record,
}: Omit<Envelope, "checksum" | "$typeName" | "$unknown">): number {
  const head = new DataView(new ArrayBuffer(24));
  head.setUint32(0, formatLevel, true);
  head.setBigUint64(4, session, true);
  head.setUint32(12, sequence, true);
  head.setBigInt64(16, wallTimeMs, true);
  return crc32(record, crc32(new Uint8Array(head.buffer)));
}

/** The same entry with something changed, and a checksum that fits. Throws where there is no record. */
export function forged(
  value: Uint8Array,
  change: (envelope: Envelope) => Partial<Pick<Envelope, "session" | "sequence" | "formatLevel" | "record">>,
): Uint8Array {
  const envelope = fromBinary(EnvelopeSchema, value);
  const { formatLevel, session, sequence, wallTimeMs, record } = { ...envelope, ...change(envelope) };
  const outside = { formatLevel, session, sequence, wallTimeMs, record };
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...outside, checksum: checksumOf(outside) }));
}
