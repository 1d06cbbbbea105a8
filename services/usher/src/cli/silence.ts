// Streams that die without a word.

/** How long a stream may be silent, in milliseconds, before it is taken for dead: nearly three times the fifteen
 * seconds after which a living one has said something. */
const SILENCE_MAX_MS = 40_000;

/** Gives up a stream that says nothing any more, or that nobody wants any longer. */
export class Silence {
  readonly options: { readonly signal: AbortSignal };
  readonly #stream = new AbortController();
  #over = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.options = { signal: AbortSignal.any([outer, this.#stream.signal]) };
    this.broken();
  }

  /** It was the silence that ended the stream. */
  get over(): boolean {
    return this.#over;
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#over = true;
      this.#stream.abort();
    }, SILENCE_MAX_MS);
  }

  /** Nobody listens for a while: until `broken`, silence is not the stream's. */
  deaf(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#stream.abort();
  }
}
