// One connection through the proxy: a client's socket and the broker's, and the bytes between them.

import { connect, type Socket } from "node:net";
import { Frames } from "./frames.ts";
import { HOST } from "./ports.ts";

/** `requests`: from the client to the broker. `answers`: back. */
export type Way = "requests" | "answers";

/** Kafka's protocol guide, "Api Keys". */
const KEYS = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  offset_commit: 8,
  find_coordinator: 10,
  init_producer_id: 22,
};
export type RequestKind = keyof typeof KEYS;

export function requestKey(request: RequestKind): number {
  return KEYS[request];
}

/** What a link asks the proxy, and tells it. */
export interface Watch {
  /** The key of the requests whose answer is to be lost, if any. */
  awaited(): number | undefined;
  /** Bytes of an answer come; `asked`: of one to a request that was awaited. True: lose them. */
  answered(asked: boolean): boolean;
  closed(): void;
}

export class Link {
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #lanes: Readonly<Record<Way, Lane>>;
  readonly #watch: Watch;
  /** The correlation ids of requests that are awaited and not answered yet. */
  readonly #asked = new Set<number>();
  #lost = false;

  constructor(client: Socket, port: number, watch: Watch) {
    this.#client = client;
    this.#broker = connect({ port, host: HOST, allowHalfOpen: true });
    this.#watch = watch;
    const requests = new Frames(12, (head) => {
      if (head.readInt16BE(4) === watch.awaited()) this.#asked.add(head.readInt32BE(8));
    });
    const answers = new Frames(8, (head) => this.#answer(this.#asked.delete(head.readInt32BE(4))));
    this.#lanes = {
      requests: new Lane(client, this.#broker, (chunk) => {
        requests.read(chunk);
        return true;
      }),
      answers: new Lane(this.#broker, client, (chunk) => {
        this.#answer(false);
        answers.read(chunk);
        return !this.#lost;
      }),
    };
    for (const socket of [client, this.#broker]) {
      socket.setNoDelay();
      socket.on("error", () => this.cut());
      socket.on("close", () => {
        if (client.destroyed && this.#broker.destroyed) watch.closed();
      });
    }
  }

  hold(ways: ReadonlySet<Way>): void {
    for (const way of ["requests", "answers"] as const) this.#lanes[way].hold(ways.has(way));
  }

  /** Requests that were sent before now are not awaited. */
  forget(): void {
    this.#asked.clear();
  }

  cut(): void {
    for (const socket of [this.#client, this.#broker]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  #answer(asked: boolean): void {
    if (this.#lost || !this.#watch.answered(asked)) return;
    this.#lost = true;
    this.cut();
  }
}

/** One direction; never holds more than the two sockets' buffers. */
class Lane {
  readonly #from: Socket;
  #held = false;
  #full = false;

  /** `passes`: whether the bytes, seen on their way, go on. */
  constructor(from: Socket, to: Socket, passes: (chunk: Buffer) => boolean) {
    this.#from = from;
    from.on("data", (chunk: Buffer) => {
      if (!passes(chunk)) return;
      this.#full = !to.write(chunk);
      this.#flow();
    });
    from.on("end", () => to.end());
    to.on("drain", () => {
      this.#full = false;
      this.#flow();
    });
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#flow();
  }

  #flow(): void {
    if (this.#held || this.#full) this.#from.pause();
    else this.#from.resume();
  }
}
