// From a log to a replica that knows its queues: the part of starting that needs others, and may have to wait for them.

import { NoGenesisError } from "@usher/queue";
import { type Audiences, Replica } from "@usher/replica";
import { LogError, type LogErrorCode, type TicketLog } from "@usher/ticket-log";
import { Failure } from "./failure.ts";
import type { LogSource } from "./log-source.ts";
import type { KeysOf } from "./node-keys.ts";
import type { NodeObserver } from "./observer.ts";
import { type Persistence, persist } from "./patience.ts";

/** How many reasons are remembered as said; beyond, the oldest is said again when it comes again. */
const SAID_MAX = 20;

export interface OpeningOptions {
  readonly source: LogSource;
  readonly keys: KeysOf;
  /** For whom the queues' passes are. */
  readonly audiences?: Audiences;
  /** This node's name. */
  readonly node: string;
  readonly observer?: NodeObserver;
  /** Done before it counts as open; what it throws is as a log that cannot be opened, but for a `Failure`. */
  readonly prepare: (replica: Replica) => Promise<void>;
  /** Stops it: `open` rejects. */
  readonly signal: AbortSignal;
  /** Told what it is at, in words that anybody may read: they name no broker. */
  readonly onProgress: (why: string) => void;
  /** Told why the log cannot be opened, once each, and when it is. */
  readonly say: (line: string) => void;
  /** Told of what goes wrong with the log, beside any call. */
  readonly onFault: (error: Error) => void;
  readonly onReplicaFault: (error: Error) => void;
  readonly onStale: (stale: boolean) => void;
  /** How it waits between two attempts; absent: as `persist` does. */
  readonly wait?: Persistence["wait"];
}

export interface Opened {
  readonly log: TicketLog;
  readonly replica: Replica;
}

export class Opening {
  readonly #options: OpeningOptions;
  /** What has been said of why it cannot be opened. */
  readonly #said = new Set<string>();

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Where the log is elsewhere, tries until it is open, and rejects with a `Failure` where trying cannot help; else
   * tries once. */
  async open(): Promise<Opened> {
    const { source, signal, wait, say } = this.#options;
    if (!source.elsewhere) return this.#attempt();
    const failed = (error: unknown): void => this.#failed(error);
    const opened = await persist(() => this.#attempt(), { signal, wait, failed });
    if (this.#said.size > 0) say("the log is open");
    return opened;
  }

  async #attempt(): Promise<Opened> {
    const { source, keys, audiences, node, observer, prepare, signal, onProgress, onStale, onFault } =
      this.#options;
    const { say: onMended, onReplicaFault } = this.#options;
    await using opened = new AsyncDisposableStack();
    const log = opened.adopt(await source.open({ node, onFault, onMended }), (log) => log.close());
    signal.throwIfAborted();
    onProgress("it reads the log");
    const replica = opened.adopt(
      await Replica.open({
        ...{ log, node, observer, signal, onStale, onFault: onReplicaFault },
        audiences,
        keys: await keys(log),
      }),
      (replica) => replica.close(),
    );
    await prepare(replica);
    signal.throwIfAborted();
    opened.move();
    return { log, replica };
  }

  #failed(error: unknown): void {
    if (error instanceof Failure) throw error;
    this.#options.onProgress(`${publicReason(error)} (its own output tells more)`);
    const words = wordsOf(error);
    if (this.#said.has(words)) return;
    const tried = this.#said.size === 0 ? " (trying again until it opens)" : "";
    this.#options.say(`the log cannot be opened: ${words}${tried}`);
    this.#said.add(words);
    const [oldest] = this.#said;
    if (this.#said.size > SAID_MAX && oldest !== undefined) this.#said.delete(oldest);
  }
}

const REASONS: Partial<Record<LogErrorCode, string>> = {
  unavailable: "the log cannot be reached",
  misconfigured: "the log refuses this node, or has other settings than it needs",
  corrupt: "the log is none that this node can read",
  in_use: "another process has this node's data open",
  disk_full: "there is no room on this node's disk",
};

/** With where it came from, if it is a fault of ours. */
function wordsOf(error: unknown): string {
  if (error instanceof LogError || error instanceof NoGenesisError) return onOneLine(error.message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A list of what is wrong with a topic, for one. */
function onOneLine(text: string): string {
  return text.replace(/:\n- /, ": ").replaceAll("\n- ", "; ");
}

function publicReason(error: unknown): string {
  const code =
    error instanceof NoGenesisError ? "corrupt" : error instanceof LogError ? error.code : undefined;
  return (code && REASONS[code]) ?? "the log cannot be opened";
}
