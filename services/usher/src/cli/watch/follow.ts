// Following a ticket through WatchPosition until it ends, whatever happens to the connection in between.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@usher/protocol/error-details";
import { type QueueService, type Status, TicketState } from "@usher/protocol/queue";

/** How long a stream may be silent, in milliseconds, before it is taken for dead: nearly three times the fifteen
 * seconds after which a living one has said something. */
const SILENCE_MAX_MS = 40_000;

/** The first pause after a broken connection, and the longest, in milliseconds. */
const BACKOFF_MS = { first: 250, most: 10_000 } as const;

/** Errors that trying again does not mend. */
const FINAL: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unimplemented,
]);

const ENDED: ReadonlySet<TicketState> = new Set([
  TicketState.COMPLETED,
  TicketState.LEFT,
  TicketState.EXPIRED,
]);

export interface Following {
  readonly client: Pick<Client<typeof QueueService>, "watchPosition">;
  readonly token: string;
  /** Ends the following. */
  readonly signal: AbortSignal;
  /** From 0 to 1, for the pauses. */
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
}

export type Sight =
  | { readonly kind: "status"; readonly status: Status }
  /** No connection just now; the next attempt is in so many milliseconds. */
  | { readonly kind: "away"; readonly reason: string; readonly retry_ms: number };

/** Yields what is seen, up to the ticket's end or the signal. Throws a `ConnectError` where it makes no sense to go
 * on: what trying again does not mend, and any error before the first word, which most likely is a wrong address. */
export async function* followTicket(following: Following): AsyncGenerator<Sight, void, undefined> {
  const { client, token, signal, random, pause } = following;
  let asOf = 0n;
  let failures = 0;
  let seen = false;
  while (!signal.aborted) {
    const silence = new Silence(signal);
    let reason = "the connection ended";
    let told_ms: number | undefined;
    try {
      for await (const { status, reconnectAfter } of client.watchPosition({ token, asOf }, silence.options)) {
        silence.broken();
        seen = true;
        failures = 0;
        if (status !== undefined) {
          asOf = status.asOf > asOf ? status.asOf : asOf;
          yield { kind: "status", status };
          if (ENDED.has(status.ticket?.state ?? TicketState.UNSPECIFIED)) return;
        }
        if (reconnectAfter !== undefined) {
          reason = "the server is being restarted";
          told_ms = durationMs(reconnectAfter);
          break;
        }
      }
    } catch (caught) {
      if (signal.aborted) return;
      const error = ConnectError.from(caught);
      if (!seen || FINAL.has(error.code)) throw error;
      reason = silence.over ? "the connection went silent" : error.rawMessage;
      told_ms = retryDelay_ms(error);
    } finally {
      silence.end();
    }
    failures++;
    const retry_ms = Math.max(told_ms ?? 0, backoff_ms(failures, random));
    yield { kind: "away", reason, retry_ms };
    await pause(retry_ms);
  }
}

/** Doubles from failure to failure; half of it is left to chance, so that a crowd does not come back as one. */
function backoff_ms(failures: number, random: () => number): number {
  const full_ms = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (failures - 1));
  return Math.round(full_ms * (0.5 + random() / 2));
}

function retryDelay_ms(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : durationMs(delay);
}

/** Gives up a stream that says nothing any more, or that nobody wants any longer. */
class Silence {
  readonly options: { readonly signal: AbortSignal };
  readonly #stream = new AbortController();
  #over = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.options = { signal: AbortSignal.any([outer, this.#stream.signal]) };
    this.broken();
  }

  /** It was the silence that ended the stream. */
  get over(): boolean {
    return this.#over;
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#over = true;
      this.#stream.abort();
    }, SILENCE_MAX_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#stream.abort();
  }
}
