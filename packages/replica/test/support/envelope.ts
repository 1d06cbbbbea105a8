// Envelopes made by hand, from what `log.proto` says of them: also those that this build would never write.

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, RecordSchema } from "@usher/protocol/log";

export interface Parts {
  readonly format_level?: number;
  readonly session?: bigint;
  readonly sequence?: number;
  readonly wall_ms?: number;
  /** The encoded record. */
  readonly record?: Uint8Array;
  /** Wrong on purpose. */
  readonly checksum?: number;
}

export function envelope(parts: Parts = {}): Uint8Array {
  const { format_level = 1, session = 7n, sequence = 1, wall_ms = 0, record = new Uint8Array() } = parts;
  const header = Buffer.alloc(24);
  header.writeUInt32LE(format_level, 0);
  header.writeBigUInt64LE(session, 4);
  header.writeUInt32LE(sequence, 12);
  header.writeBigInt64LE(BigInt(wall_ms), 16);
  return toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      formatLevel: format_level,
      session,
      sequence,
      wallTimeMs: BigInt(wall_ms),
      checksum: parts.checksum ?? crc(Buffer.concat([header, record])),
      record,
    }),
  );
}

/** An encoded record. */
export function recordBytes(kind: MessageInitShape<typeof RecordSchema>["kind"]): Uint8Array {
  return toBinary(RecordSchema, create(RecordSchema, { kind }));
}

/** CRC-32 by its definition, bit by bit. */
function crc(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ ((rest & 1) * 0xedb88320);
  }
  return ~rest >>> 0;
}
