// A line that is kept in memory, so that the listener has something to serve: it counts tickets, streams places, and
// fails in the ways that implementations fail in.

import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { AdminService } from "@usher/protocol/admin";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { type IssueRequest, QueueService } from "@usher/protocol/queue";
import { type NativeService, nativeService } from "../../src/index.ts";

export class Line {
  /** What it serves. */
  static readonly OFFERED = [QueueService, AdminService];

  /** Tickets given out. */
  issued = 0;
  /** The request and the context of each Issue, in order. */
  readonly calls: { readonly request: IssueRequest; readonly context: HandlerContext }[] = [];
  /** What WatchPosition has made so far, over all streams. */
  made = 0;
  /** Streams of WatchPosition that ended, in whatever way. */
  ended = 0;
  /** Runs before Issue answers; a test's own way to fail or to wait. */
  beforeIssue: (request: IssueRequest, context: HandlerContext) => void | Promise<void> = () => {};
  /** Makes the answers of WatchPosition; a ticket at place 1, then 0, by default. */
  places: (context: HandlerContext) => AsyncIterable<Place> = async function* () {
    yield { position: 1 };
    yield { position: 0 };
  };

  services(): NativeService[] {
    return [nativeService(QueueService, this.#queue()), nativeService(AdminService, ADMIN)];
  }

  #queue(): ServiceImpl<typeof QueueService> {
    const line = this;
    return {
      async issue(request, context) {
        line.calls.push({ request, context });
        await line.beforeIssue(request, context);
        line.issued += 1;
        return {
          token: `token-${line.issued}`,
          status: { ticket: { queue: request.queue, number: line.issued } },
        };
      },
      async *watchPosition(_request, context) {
        try {
          for await (const { position, notice } of line.places(context)) {
            line.made += 1;
            yield { status: { ticket: { position }, notice } };
          }
        } finally {
          line.ended += 1;
        }
      },
      getQueue: ({ queue }) => ({ queue: { name: queue, waiting: line.issued } }),
      getTicket: () => Promise.reject(new Error("the secret password is swordfish")),
      leave: () => {
        throw new ConnectError("taken already", Code.FailedPrecondition, { "x-hint": "try again" }, [
          { desc: ErrorInfoSchema, value: { reason: "ALREADY_CLAIMED", domain: "usher" } },
          { desc: RetryInfoSchema, value: { retryDelay: { seconds: 3n } } },
        ]);
      },
      admit: ({ requestId }, context) => {
        context.responseHeader.set("x-asked", context.requestHeader.get("x-ask") ?? "");
        context.responseTrailer.set("x-told", requestId);
        return { admitted: 1 };
      },
      async *watchAdmissions() {},
      complete: () => ({}),
    };
  }
}

export interface Place {
  readonly position: number;
  readonly notice?: string;
}

/** A stream that never ends by itself, each answer of about 16 KiB. */
export async function* endlessPlaces({ signal }: HandlerContext): AsyncGenerator<Place> {
  const notice = "x".repeat(16 * 1024);
  for (let position = 1; !signal.aborted; position++) {
    yield { position, notice };
  }
}

/** A stream that says one thing and then waits for its end. */
export async function* quietPlaces({ signal }: HandlerContext): AsyncGenerator<Place> {
  yield { position: 1 };
  await delay(600_000, undefined, { signal, ref: false });
}

const ADMIN: ServiceImpl<typeof AdminService> = {
  listQueues: () => ({}),
  getQueue: () => ({}),
  updateQueue: () => ({}),
  getNode: () => ({}),
  async *readLog() {},
  retryRequest: () => ({}),
  getState: () => ({}),
};
