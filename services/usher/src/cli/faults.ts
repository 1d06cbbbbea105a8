// Faults while serving: each is said at once, and not again and again. A full disk fails twenty ticks a second.

/** How long the same words are held back, in milliseconds; ten seconds. */
const QUIET_MS = 10_000;

/** How many different faults are told apart; beyond, the oldest is forgotten, and said again when it comes again. */
const KNOWN_MAX = 100;

export class Faults {
  readonly #say: (line: string) => void;
  readonly #now_ms: () => number;
  /** By its words: when each was said, and how often it has come since. */
  readonly #known = new Map<string, { said_ms: number; since: number }>();

  constructor(say: (line: string) => void, now_ms: () => number = () => performance.now()) {
    this.#say = say;
    this.#now_ms = now_ms;
  }

  readonly report = (error: unknown): void => {
    const text = faultText(error);
    const known = this.#known.get(text);
    const now_ms = this.#now_ms();
    if (known !== undefined && now_ms - known.said_ms < QUIET_MS) {
      known.since++;
      return;
    }
    this.#say(known === undefined || known.since === 0 ? text : `${text} (${known.since} more times since)`);
    this.#known.delete(text);
    this.#known.set(text, { said_ms: now_ms, since: 0 });
    const [oldest] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
  };
}

/** The error's words; where they say too little (a bug of ours), where it came from as well. */
function faultText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const bug = [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
  return bug ? (error.stack ?? error.message) : error.message;
}
