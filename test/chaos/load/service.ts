// The service behind Usher: answers what the wish tells it to, and writes down everything that reaches it.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Lines } from "../history/file.ts";
import type { Answer, Answered, Arrived, ServiceLine } from "../history/lines.ts";

/** What the service does with a wish that reaches it for the first time; later, it is quick:
 * - `quick`, `slow`: answers, at once or after a second or more.
 * - `busy`: refuses it with 503.
 * - `cut`: breaks the connection off after it has read the request.
 * - `hangs`: answers only when Usher has given it up. */
export type Mood = "quick" | "slow" | "busy" | "cut" | "hangs";

/** How long the service takes to answer a slow wish, and one that it hangs on, in milliseconds. The second is beyond
 * the route's time-out. */
const SLOW_MS = 1_200;
const HANGS_MS = 5_000;

/** On every answer of the service. */
export const SERVICE_HEADER = "chaos-service";

/** The body of a request. */
export interface Wish {
  readonly wish: string;
  readonly mood: Mood;
  /** How long an answer takes, in milliseconds. */
  readonly work_ms: number;
}

export interface ChaosService {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts on a free port. The first part of a path is the name of the queue that the route there has. */
export async function startService(lines: Lines<ServiceLine>): Promise<ChaosService> {
  const known = new Set<string>();
  let arrivals = 0;
  const server = createServer((req, res) => {
    void serve(req, res).catch(() => res.destroy());
  });

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const arrival = ++arrivals;
    const { wish, mood: first, work_ms } = await read(req);
    const mood = known.has(wish) ? "quick" : first;
    known.add(wish);
    lines.write({ ...arrived(req), arrival, wish });
    const answered = (status: Answered["status"]): void =>
      lines.write({ kind: "answered", at_ms: Date.now(), arrival, status });
    if (mood === "cut") {
      answered("cut");
      res.destroy();
      return;
    }
    const gone = () => answered("gone");
    res.once("close", gone);
    await sleep(mood === "slow" ? SLOW_MS : mood === "hangs" ? HANGS_MS : work_ms);
    res.off("close", gone);
    if (res.destroyed) return;
    const status = mood === "busy" ? 503 : 201;
    answered(status);
    const answer: Answer = { arrival, wish };
    res.writeHead(status, { "content-type": "application/json", [SERVICE_HEADER]: `${arrival}` });
    res.end(JSON.stringify(answer));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function read(req: IncomingMessage): Promise<Wish> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

function arrived({ url, method, headers }: IncomingMessage): Omit<Arrived, "arrival" | "wish"> {
  const { "usher-ticket": ticket, "idempotency-key": key } = headers;
  return {
    kind: "arrived",
    at_ms: Date.now(),
    queue: url?.split("/")[1] ?? "",
    key: String(key),
    ...(ticket !== undefined && { ticket: Number(ticket) }),
    idempotent: method === "PUT",
  };
}
