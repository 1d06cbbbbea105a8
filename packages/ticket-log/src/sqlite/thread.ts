// The main thread's end of the worker: sends requests, hands each answer to whoever asked, in the order asked.

import { Worker } from "node:worker_threads";
import { LogError, type Offset } from "../log.ts";
import { errorOf } from "./errors.ts";
import { type Answers, CHANGES, type Kind, type Reply, type Requests, type Settings } from "./messages.ts";

/** Gets the answer, or why there is none. Called in the order of the requests; must not throw. */
export type Done<K extends Kind> = (error: LogError | undefined, answer?: Answers[K]) => void;

interface Asked {
  readonly kind: Kind;
  done(error: LogError | undefined, answer?: Answers[Kind]): void;
}

export class Thread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  readonly #opened = Promise.withResolvers<Offset>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #failure: LogError | undefined;
  #closing = false;
  #onFailure: (error: LogError) => void = () => {};

  /** Starts the worker and has it open the database. Rejects with a `LogError`. */
  static async start(settings: Settings): Promise<{ thread: Thread; end: Offset }> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData: settings,
      name: "usher-log",
    });
    const thread = new Thread(worker);
    try {
      return { thread, end: await thread.#opened.promise };
    } catch (error) {
      await thread.#exited;
      throw error;
    }
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    worker.on("message", (reply: Reply) => this.#take(reply));
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
  ask<K extends Kind>(kind: K, request: Requests[K], done: Done<K>, moved?: ArrayBuffer): void {
    if (this.#failure) {
      done(sameFor(this.#failure, "refused"));
      return;
    }
    const id = ++this.#lastId;
    this.#asked.set(id, { kind, done });
    this.#worker.postMessage({ id, kind, ...request }, moved ? [moved] : []);
  }

  /** Closes the database. Resolves when the worker is gone, in whatever way. */
  async close(): Promise<void> {
    this.#closing = true;
    this.ask("close", {}, () => {});
    await this.#exited;
  }

  #take(reply: Reply): void {
    if ("opened" in reply) this.#opened.resolve(reply.end);
    else if ("id" in reply) this.#answer(reply);
    else this.#fail(errorOf(reply.fault));
  }

  #answer(reply: Extract<Reply, { id: number }>): void {
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
  #fail(error: LogError, met?: Asked): void {
    if (this.#failure) return;
    this.#failure = error;
    met?.done(error);
    for (const { kind, done } of this.#asked.values()) {
      done(sameFor(error, CHANGES.has(kind) ? "unknown" : "refused"));
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
