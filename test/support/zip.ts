// What a zip file holds (PKWARE's APPNOTE), as far as Go's module proxies write them: in one part, without encryption
// and 64-bit sizes.

import { inflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  /** Inflates it. */
  bytes(): Buffer;
}

/** How the list of entries begins, and the note on where it lies, which ends the file. */
const ENTRY = 0x02014b50;
const END = Buffer.of(0x50, 0x4b, 5, 6);

/** Bytes of an entry in that list, before its name; and of the head that stands before what it holds. */
const ENTRY_HEAD = 46;
const LOCAL_HEAD = 30;

const STORED = 0;
const DEFLATED = 8;

/** The entries of a zip file, in its order. Throws for what is none. */
export function zipEntries(zip: Buffer): ZipEntry[] {
  const end = zip.lastIndexOf(END);
  if (end < 0) throw new Error("it is no zip file, or not a whole one");
  const entries: ZipEntry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== ENTRY) throw new Error("its list of entries is damaged");
    const head = zip.subarray(at, at + ENTRY_HEAD);
    const nameEnd = at + ENTRY_HEAD + head.readUInt16LE(28);
    entries.push({
      name: zip.toString("utf8", at + ENTRY_HEAD, nameEnd),
      bytes: () => held(zip, head),
    });
    at = nameEnd + head.readUInt16LE(30) + head.readUInt16LE(32);
  }
  return entries;
}

function held(zip: Buffer, head: Buffer): Buffer {
  const method = head.readUInt16LE(10);
  const size = head.readUInt32LE(24);
  const local = head.readUInt32LE(42);
  const start = local + LOCAL_HEAD + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + head.readUInt32LE(20));
  if (method === STORED) return packed;
  if (method !== DEFLATED) throw new Error(`an entry is packed in a way that is not known (${method})`);
  return inflateRawSync(packed, { maxOutputLength: Math.max(1, size) });
}
