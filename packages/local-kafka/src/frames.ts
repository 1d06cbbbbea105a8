// Follows one direction of a connection to Kafka, which is a row of frames: a length in four bytes, then as many.

export class Frames {
  readonly #head: Buffer;
  readonly #begins: (head: Buffer) => void;
  /** Bytes of the head that are there. */
  #got = 0;
  /** Bytes of the frame that are still to come, after its head. */
  #left = 0;

  /** `begins` gets the first `bytes` of every frame, its length included. */
  constructor(bytes: number, begins: (head: Buffer) => void) {
    this.#head = Buffer.alloc(bytes);
    this.#begins = begins;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#got < this.#head.length) {
        const copied = chunk.copy(this.#head, this.#got, at);
        this.#got += copied;
        at += copied;
        if (this.#got < this.#head.length) return;
        this.#left = this.#head.readInt32BE(0) + 4 - this.#head.length;
        this.#begins(this.#head);
      }
      const skipped = Math.max(0, Math.min(this.#left, chunk.length - at));
      at += skipped;
      this.#left -= skipped;
      if (this.#left <= 0) this.#got = 0;
    }
  }
}
