// A running copy of the log: folds what it follows, appends for its callers and answers them when their record has
// been folded, and keeps time. Everything that a node knows of its queues, it knows from `fold`.
//
//   reader.ts     follows and folds                    timekeeper.ts   ticks
//   log/          records as bytes, writer sessions    payloads.ts     what is stored beside the log
//   keys/         secrets, hashes, tokens, passes      places.ts       who watches a ticket
//   desk.ts       gives out and shows tickets          admissions.ts   the pull consumer's view
//   access.ts     who calls, and what they may         behind.ts       who has seen more elsewhere
//   entries.ts    the log itself, entry by entry       state-digest.ts the whole state, for comparing
//   trace.ts      the trace that a request belongs to  rpc/            the protobuf services

import { randomBytes } from "node:crypto";
import { type Change, type Fold, type LogEvent, type Settings, TIME_LABEL } from "@usher/queue";
import { LogError, type TicketLog } from "@usher/ticket-log";
import { Admissions } from "./admissions.ts";
import { Behind } from "./behind.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Desk } from "./desk.ts";
import { Entries } from "./entries.ts";
import { Cipher } from "./keys/cipher.ts";
import { Hashes } from "./keys/hashes.ts";
import type { Keys } from "./keys/keys.ts";
import { type Audiences, Passes } from "./keys/passes.ts";
import { epochOf, Tokens } from "./keys/tokens.ts";
import { type Appended, Appender } from "./log/appender.ts";
import type { RecordName, RecordOptions } from "./log/session.ts";
import { Payloads } from "./payloads.ts";
import { Places } from "./places.ts";
import { Reader, type RecordCounts } from "./reader.ts";
import { Timekeeper } from "./timekeeper.ts";
import { observedAppend, type ReplicaObserver } from "./trace.ts";

/** How often callers are looked through for those who have waited too long, and what is told for its age, in ms. */
const EXPIRE_EVERY_MS = 1_000;

/** How often payloads that no ticket came for are looked for, in ms, and how old they must be by the wall clock:
 * longer than any ticket may wait, be served and be remembered. */
const ORPHANS_EVERY_MS = 60 * 60_000;
const ORPHAN_AGE_MS = 33 * 24 * 60 * 60_000;

/** How long this node may not have read everything, in ms, or nobody may have kept time, before what it tells counts as
 * old: longer than a log elsewhere takes to change its leader. */
export const STALE_MS = 5_000;

/** A queue that is deleted and made anew would count this up; queues are not deleted yet. */
const INCARNATION = 1;

/**
 * - `halted`: the log can be read no further.
 * - `behind`: it cannot be reached, or grows more quickly than it is read.
 * - `timeless`: nobody keeps time in it, as where it can be read and takes nothing, so nobody moves.
 */
export type Staleness = "halted" | "behind" | "timeless";

export interface ReplicaOptions {
  readonly log: TicketLog;
  /** The lists in it may be others each time that they are asked for (`LiveKeys`). */
  readonly keys: Keys;
  /** For whom a queue's passes are; where there is nobody, they are for the queue itself. */
  readonly audiences?: Audiences;
  /** This node's name, which its sessions in the log carry; one running process a name. */
  readonly node: string;
  readonly clock?: Clock;
  /** Watches it at work, from the first record on. */
  readonly observer?: ReplicaObserver | undefined;
  /** How long a stream that tells a place may be silent, in ms; by default `SILENCE_MS`. */
  readonly heartbeat_ms?: number;
  /** Stops the opening, which takes as long as the log cannot be reached; it rejects with code "closed". */
  readonly signal?: AbortSignal;
  /** Told when what this node tells becomes old, and when it is up to date again. */
  readonly onStale?: (stale: boolean) => void;
  /** Told of what goes wrong beside any call: a log that cannot be followed, a tick that was not written. */
  readonly onFault: (error: Error) => void;
}

/** Takes what a batch of records changed. Must not throw. */
export type BatchListener = (changes: readonly Change[]) => void;

export class Replica {
  readonly node: string;
  readonly keys: Keys;
  readonly hashes: Hashes;
  readonly tokens: Tokens;
  readonly passes: Passes;
  readonly payloads: Payloads;
  readonly places: Places;
  readonly admissions: Admissions;
  /** The log itself, for those who look at it. */
  readonly entries: Entries;
  readonly desk: Desk;
  readonly clock: Clock;
  readonly onFault: (error: Error) => void;
  /** Whether other nodes write in the log, too. */
  readonly shared: boolean;
  readonly #onStale: (stale: boolean) => void;
  #wasStale: boolean;
  readonly #reader: Reader;
  readonly #appender: Appender;
  readonly #timeAppender: Appender;
  readonly #timekeeper: Timekeeper;
  readonly #observer: ReplicaObserver | undefined;
  readonly #behind = new Behind();
  readonly #batchListeners = new Set<BatchListener>();
  #epoch: string | undefined;
  readonly #timers: NodeJS.Timeout[];
  readonly #draining = new AbortController();

  /** Reads the log to its end, begins it where it is empty, and stands as timekeeper where there is none. Rejects with
   * a `LogError` or a `NoGenesisError` when the log cannot be read or is none of Usher's. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const reader = new Reader(options.log);
    if (options.observer !== undefined) reader.listen(options.observer);
    const stop = () => reader.close();
    options.signal?.addEventListener("abort", stop);
    try {
      options.signal?.throwIfAborted();
      await reader.readToEnd();
    } catch (error) {
      reader.close();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", stop);
    }
    const replica = new Replica(options, reader);
    try {
      await replica.#begin();
    } catch (error) {
      await replica.close();
      throw error;
    }
    return replica;
  }

  private constructor(options: ReplicaOptions, reader: Reader) {
    const { log, keys, node } = options;
    const clock = options.clock ?? systemClock;
    const now_ms = (): number => clock.wall_ms();
    const appender = (label: string) =>
      new Appender({ log, clock, node: label, former: reader.lastSessionOf(label) });
    this.node = node;
    this.keys = keys;
    this.clock = clock;
    this.hashes = new Hashes(keys.hash);
    this.tokens = new Tokens(keys, now_ms);
    this.passes = new Passes(this, options.audiences ?? (() => []));
    this.payloads = new Payloads(log, new Cipher(keys, now_ms));
    this.places = new Places(reader.fold, options.heartbeat_ms);
    this.admissions = new Admissions(this);
    this.entries = new Entries(log, this.draining);
    this.desk = new Desk(this);
    this.#reader = reader;
    this.onFault = options.onFault;
    this.#observer = options.observer;
    this.shared = log.shared;
    this.#onStale = options.onStale ?? (() => {});
    this.#appender = appender(node);
    // Ticks go before what waits to be written, so they cannot share a session, whose sequence must rise.
    this.#timeAppender = appender(`${node}${TIME_LABEL}`);
    this.#timekeeper = new Timekeeper({
      fold: reader.fold,
      appender: this.#timeAppender,
      clock,
      shared: log.shared,
      lag_ms: () => reader.lag_ms,
      onFault: options.onFault,
    });
    reader.listen({
      folded: (record, outcome) => {
        this.#appender.folded(record, outcome);
        this.#timeAppender.folded(record, outcome);
        this.#timekeeper.folded(record, outcome);
      },
      batch: (changes) => this.#batch(changes),
      halted: (error) => this.#halted(error),
    });
    // It may have been read to where it ended at the beginning, and have grown since: that it is well is told then.
    this.#wasStale = this.stale;
    this.#timers = [
      setInterval(() => this.#expire(), EXPIRE_EVERY_MS),
      setInterval(() => this.#settle(this.payloads.dropOlderThan(ORPHAN_AGE_MS)), ORPHANS_EVERY_MS),
    ];
  }

  /** The folded log. For reading; only records change it. */
  get fold(): Fold {
    return this.#reader.fold;
  }

  /** How far into the log the fold is true. */
  get asOf(): number {
    return this.#reader.next;
  }

  /** What has been read since this process started. */
  get records(): RecordCounts {
    return this.#reader.records;
  }

  /** Why this node can answer nothing new; absent while all is well. */
  get halted(): Error | undefined {
    return this.#reader.halted;
  }

  /** How long ago, in ms, this node had read everything. */
  get lag_ms(): number {
    return this.#reader.lag_ms;
  }

  /** How long nobody has kept time, in ms. 0 in a log that is this node's alone: there it is not the log's reading that
   * tells whether it can be written. */
  get silence_ms(): number {
    return this.shared ? this.#timekeeper.silence_ms : 0;
  }

  /** Why what is told may be old; absent while it is not. */
  get staleness(): Staleness | undefined {
    if (this.halted !== undefined) return "halted";
    if (this.lag_ms > STALE_MS) return "behind";
    return this.silence_ms > STALE_MS ? "timeless" : undefined;
  }

  get stale(): boolean {
    return this.staleness !== undefined;
  }

  /** Who keeps time; absent while nobody does. */
  get timekeeper(): { readonly node: string; readonly term: number; readonly own: boolean } | undefined {
    const { timekeeper, term, sessions } = this.fold;
    if (timekeeper === undefined) return undefined;
    const label = sessions.node(timekeeper) ?? "";
    const node = label.endsWith(TIME_LABEL) ? label.slice(0, -TIME_LABEL.length) : label;
    return { node, term, own: timekeeper === this.#timeAppender.session };
  }

  /** Aborts when this node begins to shut down: streams end, and clients are told to come back. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Whether tickets are issued here. */
  get ready(): boolean {
    return !this.stale && !this.draining.aborted;
  }

  /** Whether a record was written by this node, or by an earlier process of its name. */
  isOwn({ session }: Pick<RecordName, "session">): boolean {
    return !this.shared || this.fold.sessions.node(session) === this.node;
  }

  /** A queue's present life, as ids and tokens carry it. */
  epoch(): string {
    // A log's genesis never changes, and every ticket that is shown names its epoch.
    if (this.#epoch === undefined && this.fold.genesis !== undefined) {
      this.#epoch = epochOf(this.fold.genesis, INCARNATION);
    }
    return this.#epoch ?? epochOf("", INCARNATION);
  }

  /** Appends a record and tells what the fold made of it. Rejects with a `LogError`, whose `outcome` says whether the
   * record may be in the log. */
  append(event: LogEvent, options?: RecordOptions): Promise<Appended> {
    return observedAppend(this.#observer, event, options, (with_) => this.#appender.append(event, with_));
  }

  /** Makes a queue, or changes one. The record's outcome tells whether the revision was the next. Where nobody is named
   * who did it, it was this node, by its file. */
  async configure(
    queue: string,
    settings: Settings,
    change: { revision: number; reason: string; actor?: string },
  ): Promise<Appended["outcome"]> {
    const actor = change.actor ?? `node:${this.node}`;
    const { outcome } = await this.append({ kind: "queue_configured", queue, settings, ...change, actor });
    return outcome;
  }

  /** Lets go of what was stored with a record that issued nothing. */
  discard(origin: RecordName): void {
    this.#settle(this.payloads.drop([origin]));
  }

  /** Hears of every batch of records, until the returned function is called. */
  onBatch(listener: BatchListener): () => void {
    this.#batchListeners.add(listener);
    return () => this.#batchListeners.delete(listener);
  }

  /** Resolves with true once this node has read as far as that; with false when it has not within a second. */
  async caughtUp(asOf: number): Promise<boolean> {
    if (this.asOf >= asOf) return true;
    return this.halted === undefined && this.#behind.wait(asOf);
  }

  /** Tells streams and new callers to go elsewhere. Appends still work, for what is under way. */
  drain(): void {
    this.#draining.abort();
  }

  /** Drains, tells every caller what became of its record, gives the term back, and lets go of the log, which stays
   * open. */
  async close(): Promise<void> {
    this.drain();
    await Promise.all([
      this.#timekeeper.stop().then(() => this.#timeAppender.close()),
      this.#appender.close(),
    ]);
    // Not before: they bound how long a caller, or a tick, waits for a log that does not answer.
    for (const timer of this.#timers) clearInterval(timer);
    this.places.close();
    this.#reader.close();
  }

  async #begin(): Promise<void> {
    if (this.fold.genesis === undefined) {
      if (this.asOf > 0) throw noUsherLog(this.asOf);
      await this.#appender.begin(randomBytes(16).toString("hex"));
    }
    this.#timekeeper.start();
  }

  #batch(changes: readonly Change[]): void {
    const forgotten = changes.flatMap((change) => (change.origin === undefined ? [] : [change.origin]));
    this.#settle(this.payloads.drop(forgotten));
    this.#behind.read(this.asOf);
    this.#timekeeper.notice();
    this.places.batch(changes);
    for (const listener of this.#batchListeners) listener(changes);
  }

  #halted(error: Error): void {
    for (const appender of [this.#appender, this.#timeAppender]) appender.halt(error);
    void this.#timekeeper.stop();
    this.#behind.close();
    // Those who wait go on watching: from here on their place is the last that was known.
    this.places.wakeAll();
    if (!this.draining.aborted) this.onFault(error);
  }

  #expire(): void {
    this.#appender.expire();
    this.#timeAppender.expire();
    const { stale } = this;
    if (stale === this.#wasStale) return;
    this.#wasStale = stale;
    this.places.wakeAll();
    this.#onStale(stale);
  }

  /** For what nobody waits for. */
  #settle(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.draining.aborted) this.onFault(error instanceof Error ? error : new Error(String(error)));
    });
  }
}

function noUsherLog(entries: number): LogError {
  return new LogError(
    "corrupt",
    `the log holds ${entries} entries, and none is the beginning of an Usher log: give Usher a log of its own`,
  );
}
