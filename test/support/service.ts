// A service to protect: does what the test says, and remembers every request it saw, in order.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (res: ServerResponse, seen: Seen) => void | Promise<void>;

export interface Service {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** The most requests that were being answered at once. */
  readonly mostInFlight: number;
  /** How many are being answered now. */
  readonly inFlight: number;
  answer: Answer;
  stop(): Promise<void>;
}

const echo: Answer = (res, seen) => {
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ method: seen.method, target: seen.target, body: seen.body }));
};

/** Starts on a free port. */
export async function startService(answer: Answer = echo): Promise<Service> {
  const seen: Seen[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  const server = createServer(async (req, res) => {
    inFlight++;
    mostInFlight = Math.max(mostInFlight, inFlight);
    res.once("close", () => inFlight--);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const request: Seen = {
      method: req.method ?? "",
      target: req.url ?? "",
      headers: req.headers,
      body: Buffer.concat(chunks).toString(),
    };
    seen.push(request);
    await service.answer(res, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const service: Service = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    get mostInFlight() {
      return mostInFlight;
    },
    get inFlight() {
      return inFlight;
    },
    answer,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return service;
}

/** Answers that the test gives one by one. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #open = false;

  /** Holds every answer until it is let go. */
  readonly answer: Answer = async (res, seen) => {
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    await echo(res, seen);
  };

  /** Lets the oldest go. */
  release(): void {
    this.#waiting.shift()?.();
  }

  /** Lets all go, and those who come. */
  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }
}
