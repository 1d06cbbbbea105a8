// Clients of every kind that ask one node without pause, each on connections of its own as HTTP clients keep them, and
// write down how every single request of theirs ended.

import { Code, ConnectError } from "@connectrpc/connect";
import { TicketState } from "@usher/protocol/queue";
import type { QueueClient } from "./callers.ts";

/** How a request ended. `refused`: nothing happened, and the client was told to come again, here or elsewhere. `cut`:
 * neither, so that the client cannot know. */
export type End = "ok" | "refused" | "cut";

/** What a client does next; tells the end of it. Whatever it throws is looked at by `endOf`. */
export type Step = () => Promise<Exclude<End, "cut">>;

/** Why a connection could not be made: nothing was sent on it. */
const NOT_SENT: ReadonlySet<string> = new Set(["ECONNREFUSED", "UND_ERR_CONNECT_TIMEOUT"]);

export class SteadyLoad {
  readonly #tallies = new Map<string, Record<End, number>>();
  readonly #cuts: string[] = [];
  readonly #clients: Promise<void>[] = [];
  #stopped = false;

  /** Clients of one kind, which go on until they are refused, or all are stopped. */
  add(kind: string, count: number, step: Step): void {
    this.#tallies.set(kind, { ok: 0, refused: 0, cut: 0 });
    for (let client = 0; client < count; client++) this.#clients.push(this.#run(kind, step));
  }

  /** How many ended in which way, by kind. */
  get tallies(): ReadonlyMap<string, Readonly<Record<End, number>>> {
    return this.#tallies;
  }

  /** What every request that was cut ended with, in words. */
  get cuts(): readonly string[] {
    return this.#cuts;
  }

  /** Lets every client end what it is at. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.over();
  }

  /** Resolves when every client has been refused. */
  async over(): Promise<void> {
    await Promise.all(this.#clients);
  }

  async #run(kind: string, step: Step): Promise<void> {
    let end: End = "ok";
    while (end === "ok" && !this.#stopped) {
      try {
        end = await step();
      } catch (error) {
        end = endOf(error);
        if (end === "cut") this.#cuts.push(`${kind}: ${words(error)}`);
      }
      const tally = this.#tallies.get(kind);
      if (tally !== undefined) tally[end]++;
    }
  }
}

/** What an HTTP answer means: one of these statuses, whole, or a refusal that says when to come again. Throws for any
 * other. */
export async function answered(
  response: Response,
  statuses: readonly number[],
): Promise<Exclude<End, "cut">> {
  const body = await response.text();
  if (statuses.includes(response.status)) return "ok";
  if (response.status === 503 && response.headers.has("retry-after")) return "refused";
  throw new Error(`${response.status}: ${body}`);
}

/** Watches a ticket until the stream is over, which has to be said. */
export async function watched(
  client: QueueClient,
  token: string,
  onFirst: () => void = () => {},
): Promise<Exclude<End, "cut">> {
  let last: TicketState | undefined;
  for await (const { status, reconnectAfter } of client.watchPosition({ token }, { timeoutMs: 0 })) {
    if (last === undefined) onFirst();
    if (reconnectAfter !== undefined) return "refused";
    last = status?.ticket?.state;
  }
  if (last !== undefined && last !== TicketState.WAITING) return "ok";
  throw new Error(`the stream ended without a word, after ${last}`);
}

/** HTTP/2's word for a request that was surely not looked at (RFC 9113, 8.7). */
const NOT_PROCESSED = /NGHTTP2_REFUSED_STREAM/;

function endOf(error: unknown): End {
  if (NOT_SENT.has(systemCode(error) ?? "")) return "refused";
  if (error instanceof ConnectError && NOT_PROCESSED.test(error.message)) return "refused";
  const told = error instanceof ConnectError && error.code === Code.Unavailable && error.details.length > 0;
  return told ? "refused" : "cut";
}

function systemCode(error: unknown): string | undefined {
  if (error instanceof AggregateError) return systemCode(error.errors[0]);
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return systemCode(error.cause);
}

function words(error: unknown): string {
  return error instanceof Error ? `${error.message} (${systemCode(error) ?? error.name})` : String(error);
}
