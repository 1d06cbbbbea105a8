// Faults and refusals while serving: each is said at once, and not again and again. A full disk fails twenty ticks a
// second, and whoever floods a node with requests to be refused must not fill its disk with the words for it.

import type { LogFields, Refusal } from "@usher/telemetry";
import { bounded, visible } from "./text.ts";

/** How long the same words are held back, in milliseconds; ten seconds. */
const QUIET_MS = 10_000;

/** How many different faults are told apart; beyond, the oldest is forgotten, and said again when it comes again. */
const KNOWN_MAX = 100;

/** How many lines are said within that time, however different they are; 200. What is held back then is counted, and
 * the count said with the next line. */
const LINES_MAX = 200;

/** Characters of a fault's or a refusal's words, 2,000: others may have chosen some, and they are remembered. */
const WORDS_MAX = 2_000;

/** What goes wrong at a service is told as a fault, which names the service, and what goes wrong inside as another. */
const TOLD_AS_FAULTS = new Set(["service_unreachable", "service_lost", "service_timeout", "internal"]);

type Say = (line: string, fields?: LogFields) => void;

export class Faults {
  readonly #say: Say;
  readonly #now_ms: () => number;
  /** By their words. */
  readonly #faults = new Repeats();
  /** By their reasons, which are a closed set. */
  readonly #refusals = new Repeats();
  #window_ms = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #heldBack = 0;

  constructor(say: Say, now_ms: () => number = () => performance.now()) {
    this.#say = say;
    this.#now_ms = now_ms;
  }

  readonly report = (error: unknown): void => {
    const text = faultText(error);
    const repeats = this.#faults.next(text, this.#now_ms());
    if (repeats !== undefined) this.#tell(text, repeats, {});
  };

  /** A request was refused. */
  readonly refused = ({ reason, status, detail }: Refusal): void => {
    if (TOLD_AS_FAULTS.has(reason)) return;
    const repeats = this.#refusals.next(reason, this.#now_ms());
    if (repeats !== undefined)
      this.#tell(`refused with ${status} ${reason}: ${told(detail)}`, repeats, {
        reason,
        status,
      });
  };

  #tell(text: string, repeats: number, fields: LogFields): void {
    const now_ms = this.#now_ms();
    if (now_ms - this.#window_ms >= QUIET_MS) {
      this.#window_ms = now_ms;
      this.#lines = 0;
    }
    if (this.#lines >= LINES_MAX) {
      this.#heldBack++;
      return;
    }
    this.#lines++;
    if (this.#heldBack > 0) this.#say(`${this.#heldBack} different lines were held back`);
    this.#heldBack = 0;
    if (repeats === 0) this.#say(text, fields);
    else this.#say(`${text} (${repeats} more times since)`, { ...fields, repeats });
  }
}

/** What has been said, and how often it has come since. */
class Repeats {
  readonly #known = new Map<string, { said_ms: number; since: number }>();

  /** How often it came since it was said last; absent: it is to be held back. */
  next(key: string, now_ms: number): number | undefined {
    const known = this.#known.get(key);
    if (known !== undefined && now_ms - known.said_ms < QUIET_MS) {
      known.since++;
      return undefined;
    }
    this.#known.delete(key);
    this.#known.set(key, { said_ms: now_ms, since: 0 });
    const [oldest] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest);
    return known?.since ?? 0;
  }
}

/** The error's words; where they say too little (a bug of ours), where it came from as well. */
function faultText(error: unknown): string {
  if (!(error instanceof Error)) return told(String(error));
  const bug = [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
  return bug ? bounded(error.stack ?? error.message, WORDS_MAX) : told(error.message);
}

/** Words that others may have chosen: as one line. */
function told(words: string): string {
  return bounded(visible(words.slice(0, WORDS_MAX + 1)), WORDS_MAX);
}
