// Following a ticket through WatchPosition until it ends, whatever happens to the connection in between.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, ConnectError } from "@connectrpc/connect";
import { type QueueService, type Status, TicketState } from "@usher/protocol/queue";
import { backoff_ms, isFinal, retryDelay_ms } from "../backoff.ts";
import { Silence } from "../silence.ts";

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
      if (!seen || isFinal(error)) throw error;
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
