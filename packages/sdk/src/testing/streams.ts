// Who watches: each stream sleeps until there is something to tell, and can be cut.

import type { Clock } from "../calls/clock.ts";
import { UsherError } from "../errors.ts";

/** The longest that a stream is silent, in ms of the moved clock: as the server's. */
const SILENCE_MS = 14_000;

/** Streams at once; one more is refused: as a node's. */
const STREAMS_MAX = 20_000;

export class Streams {
  readonly #clock: Clock;
  readonly #open = new Set<Stream>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends with `canceled` when the signal is aborted. Close it. */
  open(signal: AbortSignal): Stream {
    if (this.#open.size >= STREAMS_MAX)
      throw new UsherError("overloaded", "This node holds as many streams as it may.", { retryAfter: 1_000 });
    const stream: Stream = new Stream(this.#clock, signal, () => this.#open.delete(stream));
    this.#open.add(stream);
    return stream;
  }

  wakeAll(): void {
    for (const stream of this.#open) stream.wake();
  }

  cutAll(error: () => UsherError): void {
    for (const stream of this.#open) stream.cut(error());
  }
}

export class Stream {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onClose: () => void;
  readonly #onAbort = () => this.cut(canceled(this.#signal));
  #error: UsherError | undefined;
  #wake: () => void = () => {};

  constructor(clock: Clock, signal: AbortSignal, onClose: () => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onClose = onClose;
    signal.addEventListener("abort", this.#onAbort);
    if (signal.aborted) this.#onAbort();
  }

  /** Resolves when there is news, or the stream has been silent for long. Rejects when it is cut. */
  async news(isNews: () => boolean): Promise<void> {
    let isSilent = false;
    const cancel = this.#clock.after(SILENCE_MS, () => {
      isSilent = true;
      this.wake();
    });
    try {
      for (;;) {
        this.check();
        if (isSilent || isNews()) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      cancel();
    }
  }

  /** Throws when it has been cut. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  wake(): void {
    this.#wake();
  }

  cut(error: UsherError): void {
    this.#error ??= error;
    this.#wake();
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#onClose();
  }
}

export function canceled({ reason }: AbortSignal): UsherError {
  if (reason instanceof UsherError) return reason;
  return new UsherError("canceled", "the caller gave up", { cause: reason });
}
