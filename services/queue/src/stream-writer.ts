// StreamWriter: one answer at a time. The next is not made before the last has left the process, so a client that
// stops reading holds one answer, not a queue of them; and if it does not go on for `stall_ms`, it loses the stream.

import type { ServerWritableStream } from "@grpc/grpc-js";

export class StreamWriter {
  readonly #call: ServerWritableStream<Buffer, Buffer>;
  readonly #stall_ms: number;
  readonly #onStall: () => void;
  /** One timer a stream, wound up again by each write: making one for each message would cost more. */
  #stallTimer: NodeJS.Timeout | undefined;
  #done: (() => void) | undefined;

  constructor(call: ServerWritableStream<Buffer, Buffer>, stall_ms: number, onStall: () => void) {
    this.#call = call;
    this.#stall_ms = stall_ms;
    this.#onStall = onStall;
    // grpc-js leaves the callback of a write under way uncalled when the call ends.
    call.once("cancelled", () => this.#done?.());
  }

  /** Resolves when the answer has been handed to the network, or nobody is there to take it. */
  write(message: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#watch();
      this.#call.write(message, () => {
        this.#done = undefined;
        resolve();
      });
      if (this.#call.cancelled) {
        resolve();
      }
    });
  }

  close(): void {
    clearTimeout(this.#stallTimer);
  }

  #watch(): void {
    if (this.#stallTimer === undefined) {
      this.#stallTimer = setTimeout(() => {
        if (this.#done !== undefined) {
          this.#onStall();
        }
      }, this.#stall_ms).unref();
    } else {
      this.#stallTimer.refresh();
    }
  }
}
