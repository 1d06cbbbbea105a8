// The main thread's end of a worker that owns a database: sends requests, hands each answer to whoever asked, in the
// order asked. `serving.ts` is the other end.

import { Worker } from "node:worker_threads";
import { LogError } from "../log.ts";
import { errorOf, type Fault } from "./errors.ts";
import type { Reply } from "./serving.ts";

/** Gets the answer, or why there is none. Called in the order of the requests; must not throw. */
export type Done<A> = (error: LogError | undefined, answer?: A) => void;

/** What is run in the thread. */
export interface Program<R> {
  /** Its file; calls `serve`. */
  readonly url: URL;
  /** Names the thread. */
  readonly name: string;
  /** The kinds of requests that change the store: where no answer comes, nobody knows whether they did. */
  readonly changes: ReadonlySet<keyof R>;
}

interface Asked<R> {
  readonly kind: keyof R;
  done(error: LogError | undefined, answer?: unknown): void;
}

/** What worker and main thread may say: requests by kind, and what answers them. */
export type Requests<R> = { [K in keyof R]: { readonly request: object; readonly answer: unknown } };

export class Thread<R extends Requests<R>, O> {
  readonly #worker: Worker;
  readonly #program: Program<R>;
  readonly #asked = new Map<number, Asked<R>>();
  readonly #opened = Promise.withResolvers<O>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #failure: LogError | undefined;
  #closing = false;
  #onFailure: (error: LogError) => void = () => {};

  /** Starts the worker and has it open the database. `opened` is what it says then. Rejects with a `LogError`. */
  static async start<R extends Requests<R>, O>(
    program: Program<R>,
    settings: object,
  ): Promise<{ thread: Thread<R, O>; opened: O }> {
    const worker = new Worker(program.url, { workerData: settings, name: program.name });
    const thread = new Thread<R, O>(worker, program);
    try {
      return { thread, opened: await thread.#opened.promise };
    } catch (error) {
      await thread.#exited;
      throw error;
    }
  }

  private constructor(worker: Worker, program: Program<R>) {
    this.#worker = worker;
    this.#program = program;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    worker.on("message", (reply: Reply<O>) => this.#take(reply));
    worker.on("error", (cause) =>
      this.#fail(new LogError("unavailable", "the log's worker died", { cause })),
    );
    worker.on("exit", () => this.#fail(new LogError("unavailable", "the log's worker ended")));
  }

  /** Called once, should the worker end without having been asked to. */
  onFailure(call: (error: LogError) => void): void {
    this.#onFailure = call;
  }

  /** `moved` changes hands: it is empty here afterwards. */
  ask<K extends keyof R & string>(
    kind: K,
    request: R[K]["request"],
    done: Done<R[K]["answer"]>,
    moved?: ArrayBuffer,
  ): void {
    if (this.#failure) {
      done(sameFor(this.#failure, "refused"));
      return;
    }
    const id = this.#send(kind, request, moved);
    this.#asked.set(id, { kind, done });
  }

  /** Closes the database. Resolves when the worker is gone, in whatever way. */
  async close(): Promise<void> {
    this.#closing = true;
    if (!this.#failure) this.#send("close", {});
    await this.#exited;
  }

  #send(kind: string, request: object, moved?: ArrayBuffer): number {
    const id = ++this.#lastId;
    this.#worker.postMessage({ id, kind, ...request }, moved ? [moved] : []);
    return id;
  }

  #take(reply: Reply<O>): void {
    if ("opened" in reply) this.#opened.resolve(reply.opened);
    else if ("id" in reply) this.#answer(reply);
    else this.#fail(errorOf(reply.fault));
  }

  #answer(reply: { id: number } & ({ answer: unknown } | { fault: Fault })): void {
    const asked = this.#asked.get(reply.id);
    this.#asked.delete(reply.id);
    if ("answer" in reply) {
      asked?.done(undefined, reply.answer);
      return;
    }
    const error = errorOf(reply.fault);
    if (reply.fault.fatal) this.#fail(error, asked);
    else asked?.done(error);
  }

  /** `met`: whose request met the failure, if one did. */
  #fail(error: LogError, met?: Asked<R>): void {
    if (this.#failure) return;
    this.#failure = error;
    met?.done(error);
    for (const { kind, done } of this.#asked.values()) {
      done(sameFor(error, this.#program.changes.has(kind) ? "unknown" : "refused"));
    }
    this.#asked.clear();
    this.#opened.reject(error);
    if (!this.#closing) this.#onFailure(error);
  }
}

/** The failure as it is for another call. */
function sameFor(failure: LogError, outcome: LogError["outcome"]): LogError {
  return new LogError(failure.code, failure.message, { outcome, cause: failure });
}
