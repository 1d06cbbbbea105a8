// A description as bytes: the same bytes if and only if the same values. For a digest; nobody reads them back.

import type { Part, Value } from "./description.ts";

/** How many bytes are written at once, at most. */
export const CHUNK_BYTES = 64 * 1024;

/** The most that one value takes before it is looked whether there is room again. */
const VALUE_BYTES = 16;

const TAG = { none: 0, false: 1, true: 2, number: 3, bigint: 4, text: 5, list: 6, part: 7 } as const;

/** Writes what the parts tell, piece by piece. A piece is only good until `write` returns: the next one takes its
 * place. */
export function encodeParts(parts: Iterable<Part>, write: (bytes: Uint8Array) => void): void {
  const encoder = new Encoder(write);
  for (const { kind, id, fields } of parts) {
    encoder.begin();
    encoder.value(kind);
    encoder.value(id);
    for (const name in fields) encoder.value(fields[name]);
  }
  encoder.flush();
}

class Encoder {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #bytes = new Uint8Array(CHUNK_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  begin(): void {
    this.#tag(TAG.part);
  }

  value(value: Value): void {
    if (value === undefined) this.#tag(TAG.none);
    else if (typeof value === "number") this.#number(TAG.number, value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "boolean") this.#tag(value ? TAG.true : TAG.false);
    else if (typeof value === "bigint") this.#whole(value);
    else {
      this.#number(TAG.list, value.length);
      for (const each of value) this.#number(TAG.number, each);
    }
  }

  flush(): void {
    if (this.#length > 0) this.#write(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
  }

  #tag(tag: number): void {
    if (this.#length + VALUE_BYTES > CHUNK_BYTES) this.flush();
    this.#bytes[this.#length++] = tag;
  }

  #number(tag: number, value: number): void {
    this.#tag(tag);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Of 64 bits, as sessions are. */
  #whole(value: bigint): void {
    this.#tag(TAG.bigint);
    this.#view.setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  /** In UTF-16, as strings are. */
  #text(text: string): void {
    this.#number(TAG.text, text.length);
    for (let at = 0; at < text.length; at++) {
      if (this.#length + VALUE_BYTES > CHUNK_BYTES) this.flush();
      const unit = text.charCodeAt(at);
      this.#bytes[this.#length++] = unit & 255;
      this.#bytes[this.#length++] = unit >> 8;
    }
  }
}
