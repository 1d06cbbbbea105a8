// `usher serve`: one replica of the log, and the listeners around it.
//
//   starting ── the log is open, its queues are those of the configuration ──▶ ready ──▶ closed
//
// The ports are open from the start (listeners.ts) and say that it starts. What comes then may have to wait for others
// (opening.ts): a log elsewhere is tried until it is there. A node that cannot follow its log any more is not ready,
// and is again when it can. Closing goes the same way back: unready (and for a while nothing else, so that whoever
// balances loads sees it), listeners, replica, log.

import { setTimeout as sleep } from "node:timers/promises";
import { BindError, CertificateError } from "@usher/gateway";
import { NoGenesisError, type Settings } from "@usher/queue";
import { ListenError } from "@usher/queue-service";
import { KeysError, type Replica } from "@usher/replica";
import { EndpointError } from "@usher/telemetry";
import { LogError } from "@usher/ticket-log";
import { audiencesOf } from "./audiences.ts";
import type { Config } from "./config/config.ts";
import { Failure } from "./failure.ts";
import { Listeners } from "./listeners.ts";
import type { LogSource } from "./log-source.ts";
import { LOOK_MS, Neighbours } from "./neighbours.ts";
import { NodeKeys } from "./node-keys.ts";
import { logNames, NodeObserver } from "./observer.ts";
import { type Opened, Opening } from "./opening.ts";
import { type Command, reconcile } from "./reconcile.ts";

/** How long a node waits, once nothing is under way any more, for its last records to be written: what became of what
 * it sent, and the term that it gives back. In milliseconds; ten seconds, of which it needs a few milliseconds. */
const SETTLE_MS = 10_000;

/** How long a node waits for a log that does not answer, in milliseconds, once it is told to stop and nobody waits for
 * it any more; two seconds, in which it may yet give the keeping of time back. */
const LET_GO_MS = 2_000;

export interface ServeOptions {
  /** Where the log comes from. */
  readonly log: LogSource;
  /** Where the configuration comes from, in words: `usher.yaml`. */
  readonly source: string;
  /** Lifts API keys. For loopback alone, which the caller sees to. */
  readonly demo: boolean;
  /** What of the configuration is applied to queues that exist. */
  readonly command: Command;
  /** Told, in a line each, what the operator should know of the log and of the queues. */
  readonly say: (line: string) => void;
  /** Told of what goes wrong while serving. */
  readonly onFault: (error: unknown) => void;
}

/** A queue of the configuration, as the log has it now. */
export interface LiveQueue {
  readonly name: string;
  readonly settings: Settings;
}

/** A node that listens. */
export interface Node {
  /** Where the gateway is, for clients on this machine. */
  readonly url: string;
  /** The native listener's port. */
  readonly grpc_port: number;
  /** Where the metrics are, or why they are nowhere; absent where they are off. */
  readonly metrics: string | undefined;
  /** This node's name in the log. */
  readonly name: string;
  /** Resolves when tickets are issued here. Rejects, with everything closed, when they never will be: with a `Failure`
   * where there is something that an operator can do. Does neither when the node is closed before. */
  readonly ready: Promise<readonly LiveQueue[]>;
  /** Resolves when all that was under way has ended, or its grace is over. */
  close(): Promise<void>;
}

/** Resolves when the node listens. Rejects with a `Failure` where there is something that an operator can do, and
 * leaves nothing open then. */
export async function serve(config: Config, options: ServeOptions): Promise<Node> {
  let why = "it opens the log";
  const { log, demo, say, onFault } = options;
  try {
    // Before any port is taken: what is wrong here, no waiting mends.
    const file = { file: config.keys, say };
    const keys = log.elsewhere ? await NodeKeys.shared(file) : NodeKeys.own(file);
    const nameFor = (port: number): string => config.node ?? log.nameFor(port);
    const listeners = await Listeners.open(config, { demo, nameFor, starting: () => why, onFault });
    return new StartedNode(config, options, listeners, keys, (now) => {
      why = now;
    });
  } catch (error) {
    throw explained(error);
  }
}

/** The pieces' own errors say what is wrong and where; which flag mends it is known here alone. */
function explained(error: unknown): unknown {
  const words = error instanceof Error ? error.message : "";
  if (error instanceof BindError) return new Failure(`${words} (--port, or listen.port in the file)`);
  if (error instanceof CertificateError) return new Failure(`${words} (listen.tls in the file)`);
  if (error instanceof ListenError)
    return new Failure(`${words} (--grpc-port, or listen.grpc_port in the file)`);
  if (error instanceof EndpointError)
    return new Failure(`${words} (--metrics-port, or listen.metrics_port in the file; off: none)`);
  const said = [LogError, KeysError, NoGenesisError].some((kind) => error instanceof kind);
  return said ? new Failure(words, { cause: error }) : error;
}

class StartedNode implements Node {
  readonly ready: Promise<readonly LiveQueue[]>;
  readonly #config: Config;
  readonly #options: ServeOptions;
  readonly #listeners: Listeners;
  readonly #keys: NodeKeys;
  readonly #observer: NodeObserver;
  readonly #stopping = new AbortController();
  /** Resolves when the opening has ended, in whatever way. */
  readonly #started: Promise<unknown>;
  #opened: Opened | undefined;
  /** It has been said that what is told may be old, and why, and not yet that it is no more. */
  #stale: Replica["staleness"];
  #looking: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    config: Config,
    options: ServeOptions,
    listeners: Listeners,
    keys: NodeKeys,
    onProgress: (why: string) => void,
  ) {
    this.#config = config;
    this.#options = options;
    this.#observer = new NodeObserver(logNames(config.log));
    this.#listeners = listeners;
    this.#keys = keys;
    const { log: source, say, onFault } = options;
    const opening = new Opening({
      ...{
        source,
        keys: keys.of,
        audiences: audiencesOf(config.routes),
        node: this.name,
        observer: this.#observer,
        say,
        onProgress,
        onFault,
      },
      signal: this.#stopping.signal,
      prepare: (replica) => this.#reconcile(replica),
      onStale: () => this.#tellStale(),
      onReplicaFault: (error) => this.#replicaFault(error),
    });
    const started = opening.open().then((opened) => this.#serve(opened));
    this.#started = Promise.allSettled([started]);
    this.ready = started.catch((error: unknown) => this.#failed(error));
  }

  get name(): string {
    return this.#listeners.name;
  }

  get url(): string {
    return this.#listeners.url;
  }

  get metrics(): string | undefined {
    return this.#listeners.metrics;
  }

  get grpc_port(): number {
    return this.#listeners.grpc_port;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #reconcile(replica: Replica): Promise<void> {
    this.#observer.attach(replica);
    const { queues } = this.#config;
    const { source, command, say } = this.#options;
    for (const line of await reconcile(replica, { queues, command, source })) say(line);
  }

  #serve(opened: Opened): readonly LiveQueue[] {
    const { replica } = opened;
    this.#opened = opened;
    this.#listeners.serve(replica);
    this.#listeners.setReady(replica.ready);
    if (replica.shared) this.#lookForNeighbours(replica);
    return this.#config.queues.flatMap(({ name }) => {
      const settings = replica.fold.queue(name)?.settings;
      return settings === undefined ? [] : [{ name, settings }];
    });
  }

  #lookForNeighbours({ fold }: Replica): void {
    const neighbours = new Neighbours(this.name, this.#config.nodes, fold);
    this.#looking = setInterval(() => {
      const found = neighbours.look(fold);
      if (found !== undefined) this.#options.say(found);
    }, LOOK_MS);
  }

  async #failed(error: unknown): Promise<never> {
    this.#keys.close();
    // Whoever closes the node does not wait for it to be ready any more.
    if (this.#stopping.signal.aborted) return new Promise(() => {});
    await this.#listeners.close(this.#config.drain);
    throw explained(error);
  }

  #tellStale(): void {
    const replica = this.#opened?.replica;
    if (replica === undefined || this.#stopping.signal.aborted) return;
    const was = this.#stale;
    this.#stale = replica.staleness;
    this.#listeners.setReady(replica.ready);
    if (this.#stale !== undefined) this.#options.say(STALE[this.#stale]);
    // Otherwise it was not ready yet when it opened.
    else if (was !== undefined) this.#options.say(MENDED[was]);
  }

  /** While it is known that the log is not followed, what cannot be written either is no news. */
  #replicaFault(error: Error): void {
    if (this.#stale !== undefined && error instanceof LogError && error.code === "unavailable") return;
    this.#options.onFault(error);
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#looking);
    this.#keys.close();
    const { delay_ms, grace_ms } = this.#config.drain;
    if (this.#opened !== undefined && delay_ms > 0) {
      this.#listeners.leave();
      await sleep(delay_ms);
    }
    this.#opened?.replica.drain();
    await this.#listeners.close({ grace_ms });
    const opened = this.#opened;
    const answers = opened !== undefined && !opened.replica.stale;
    const patience = sleep(answers ? SETTLE_MS : LET_GO_MS, undefined, { ref: false });
    await Promise.race([opened === undefined ? this.#started : letGo(opened), patience]);
  }
}

async function letGo({ replica, log }: Opened): Promise<void> {
  await replica.close();
  await log.close();
}

type Staleness = NonNullable<Replica["staleness"]>;

const NOT_FOLLOWED =
  "not ready: the log is not followed, so places are shown as last known, and no tickets are given out here";

const STALE: Readonly<Record<Staleness, string>> = {
  halted: `${NOT_FOLLOWED}; start it again when that is mended`,
  behind: `${NOT_FOLLOWED}; tried again until it is`,
  timeless:
    "not ready: nobody keeps time in the log, which is read, and takes nothing perhaps; so nobody moves, and no " +
    "tickets are given out here; tried again until somebody does",
};

const MENDED: Readonly<Record<Staleness, string>> = {
  halted: "the log is followed again, and tickets are given out here",
  behind: "the log is followed again, and tickets are given out here",
  timeless: "time is kept in the log again, and tickets are given out here",
};
