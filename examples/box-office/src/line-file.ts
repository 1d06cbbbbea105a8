// Writes NDJSON that can be read while it grows.

import { closeSync, openSync, writeSync } from "node:fs";
import type { EndLine, Unnumbered } from "./lines.ts";

/** How many bytes are gathered, at most, before they are written; 64 KiB. */
const BUFFER_BYTES = 64 * 1024;

/** How large a file may become; 1 GiB, some four million lines. What does not fit is counted, and told at the end. */
const FILE_BYTES = 1024 ** 3;

/** A file of numbered lines. A line is in the file (the kernel's cache) at the end of the event loop's turn that it
 * was written in, or after `flush`: it can be read from then on, and survives the death of its process. A new file
 * replaces an old one.
 * A disk that refuses a write ends the process: a shop without evidence is of no use here. */
export class LineFile<Line extends { readonly line: number }> {
  readonly #file: number;
  readonly #bytesMax: number;
  #buffer = "";
  #flushing: NodeJS.Immediate | undefined;
  #bytes = 0;
  #lines = 0;
  #dropped = 0;
  #closed = false;

  constructor(path: string, bytesMax: number = FILE_BYTES) {
    this.#file = openSync(path, "w");
    this.#bytesMax = bytesMax;
    process.once("exit", this.flush);
  }

  write(line: Unnumbered<Line>): void {
    if (this.#closed) throw new Error("this file of lines is closed");
    const text = `${JSON.stringify({ line: this.#lines + 1, ...line })}\n`;
    if (this.#bytes + Buffer.byteLength(text) > this.#bytesMax) {
      this.#dropped++;
      return;
    }
    this.#append(text);
  }

  /** Writes the last line, which tells how many found no room, and lets go of the file. */
  close(at_ms: number): void {
    if (this.#closed) return;
    const end: EndLine = { line: this.#lines + 1, kind: "end", at_ms, dropped: this.#dropped };
    this.#append(`${JSON.stringify(end)}\n`);
    this.flush();
    this.#closed = true;
    process.off("exit", this.flush);
    closeSync(this.#file);
  }

  #append(text: string): void {
    this.#lines++;
    this.#bytes += Buffer.byteLength(text);
    this.#buffer += text;
    if (this.#buffer.length >= BUFFER_BYTES) this.flush();
    else this.#flushing ??= setImmediate(this.flush);
  }

  /** Writes what is gathered. */
  readonly flush = (): void => {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = "";
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#file, bytes, written);
    }
  };
}
