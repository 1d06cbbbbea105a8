// What a test holds: the queues, their clock, and the means to break things.

import { byClock } from "../calls/clock.ts";
import { BackendClient } from "../client/backend.ts";
import { QueueClient } from "../client/client.ts";
import { type TryOptions, wireOf } from "../client/wire.ts";
import { UsherError } from "../errors.ts";
import type { Caller } from "./checks.ts";
import { MovedClock } from "./clock.ts";
import { type Failure, Failures } from "./failures.ts";
import { TestGateway } from "./gateway/gateway.ts";
import type { Service } from "./gateway/requests.ts";
import { TestNode } from "./node.ts";
import { TestRpc } from "./rpc.ts";
import type { PublicKeys } from "./secrets.ts";
import type { TestQueueSettings } from "./settings.ts";

export interface TestQueuesOptions {
  /** What time it is at first; default: what it really is, so that passes are good for whoever checks them now. */
  readonly startsAt?: Date;
}

/** Queues in memory, by name. They need no closing: nothing of them goes on by itself. Throws `misused` where a queue
 * cannot be set so. */
export function createTestQueues(
  queues: Readonly<Record<string, TestQueueSettings>>,
  options: TestQueuesOptions = {},
): TestQueues {
  const made = new TestQueues(options);
  for (const [name, settings] of Object.entries(queues)) made.configure(name, settings);
  return made;
}

const BACKEND: Caller = { id: "key:test", trusted: true };
const VISITOR: Caller = { id: "", trusted: false };

export class TestQueues {
  readonly #clock = new MovedClock();
  readonly #failures = new Failures();
  readonly #node: TestNode;

  constructor({ startsAt = new Date() }: TestQueuesOptions) {
    this.#node = new TestNode(this.#clock, startsAt);
  }

  /** What time it is. Moves with `advance` alone. */
  get now(): Date {
    return new Date(this.#node.wall_ms);
  }

  /** What passes of these queues are checked with: for `createGuard({ jwks: queues.jwks, … })`. */
  get jwks(): PublicKeys {
    return this.#node.secrets.publicKeys;
  }

  /** A client with an API key, as a backend has it: of the class that `createClient` returns. Its pauses, and the silence of
   * its streams, are by the clock of these queues: a call that is tried again, as after `fail`, goes on with `advance`. */
  client(options: TryOptions = {}): BackendClient {
    return new BackendClient(wireOf(this.#rpc(BACKEND), options, this.#clock));
  }

  /** A client without an API key, as a browser has it. */
  visitor(options: TryOptions = {}): QueueClient {
    return new QueueClient(wireOf(this.#rpc(VISITOR), options, this.#clock));
  }

  /** A `fetch` to a service behind a gateway, whatever the URL: its requests wait in that queue, and are answered as a gateway
   * answers them: 202 with `Location`, or 429 with `ticket_url`, until their turn; then by the service, which is any function
   * from `Request` to `Response`. Give it to `createFetch({ fetch })`, whose pauses are then by the clock of these queues, or
   * call it bare; wrapped in another function, it is by the machine's. Where the turn is at once, the service's answer is, too.
   * Cookies are neither set nor read, and of redirects only Usher's own are followed. */
  gateway(queue: string, service: Service): typeof fetch {
    const gateway = new TestGateway(this.#node, this.#failures, queue, service);
    return byClock(this.#clock, (input, init) => gateway.fetch(new Request(input, init)));
  }

  /** Lets so many milliseconds pass: of log time, which queues are paced by (in ticks of 50 ms while anybody waits, else of
   * 500 ms), of the wall clock, and of the clients' pauses. Resolves when all who watch have been told, and whatever they
   * did about it at once has been done. 0: nothing passes, and what is under way gets done. */
  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /** Makes a queue, or changes the settings that are given, as an operator does. Throws `misused` where it cannot be set
   * so. */
  configure(queue: string, settings: TestQueueSettings): void {
    this.#node.configure(queue, settings);
  }

  /** Makes calls fail, of all clients of these queues: the next one, where nothing else is said. Several failures are met in
   * the order in which they were told. Clients try again what may be tried again, after a pause, which passes with
   * `advance`: 17 seconds are longer than any but those that a `retryAfter` lengthens. Call what it returns to end it. */
  fail(failure: Failure = {}): () => void {
    return this.#failures.add(failure);
  }

  /** Cuts all streams that are open. Clients open them anew, after a pause, which passes with `advance`. */
  disconnect(): void {
    this.#node.streams.cutAll(
      () => new UsherError("unreachable", "the stream was cut, as the test has said"),
    );
  }

  #rpc(caller: Caller): TestRpc {
    return new TestRpc(this.#node, this.#failures, caller);
  }
}
