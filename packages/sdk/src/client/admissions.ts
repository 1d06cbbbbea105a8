// The pull consumer. The server tells of admissions, in order, from a cursor on; the cursor moves on only as far as all
// before it are dealt with, so that whoever comes back with it misses nobody, and may see some twice.

import { backoff_ms, patience_ms, pause } from "../calls/pause.ts";
import { retried } from "../calls/retry.ts";
import { unlessSilent } from "../calls/silence.ts";
import { UsherError } from "../errors.ts";
import type { AdmissionMessage, TicketFacts } from "../rpc/rpc.ts";
import type { BackendWire } from "./wire.ts";

export interface AdmissionsOptions {
  /** The `cursor` of the last run; default: all that are still active. */
  readonly cursor?: string;
  /** Ends it in order: no more are given out, and those that are out can still be completed. */
  readonly signal?: AbortSignal;
  /** Told of each failure that is mended without a word: for a log. */
  readonly onRetry?: (error: UsherError) => void;
}

/** Somebody who was let through. */
export interface Admission {
  readonly ticket: TicketFacts;
  /** Who it is for, as `issue` was told. */
  readonly subject: string | undefined;
  /** What `issue` was told to hand over. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Keep this one once everything up to here is dealt with, and hand it to the next run. */
  readonly cursor: string;
  /** Ends the ticket, and frees its slot for the next. */
  complete(): Promise<void>;
}

/** Longer than this, in milliseconds, no stream is silent: the server says something every 15 s. */
const SILENCE_MS = 40_000;

export async function* admissions(
  wire: BackendWire,
  queue: string,
  { cursor: from = "0", signal, onRetry }: AdmissionsOptions,
): AsyncGenerator<Admission, void> {
  const { rpc, retry } = wire;
  const { clock } = retry;
  const silence_ms = wire.timings.silence ?? SILENCE_MS;
  let cursor = from;
  for (let failures = 0; !signal?.aborted; ) {
    const since = cursor;
    const open = (signal: AbortSignal) =>
      rpc.watchAdmissions(queue, since, { signal, timeout: retry.timeout });
    let reconnect_ms: number | undefined;
    try {
      for await (const message of unlessSilent(open, silence_ms, signal, clock)) {
        failures = 0;
        retry.budget.earn();
        if (message.ticket) {
          cursor = message.cursor;
          yield admissionOf(wire, message, message.ticket);
        }
        if (signal?.aborted) return;
        reconnect_ms = message.reconnectAfter;
        if (reconnect_ms !== undefined) break;
      }
      await pause(reconnect_ms ?? backoff_ms(1), signal, clock);
    } catch (thrown) {
      const error = UsherError.from(thrown);
      if (signal?.aborted) return;
      if (!error.retryable) throw error;
      onRetry?.(error);
      failures++;
      await pause(patience_ms(retry.budget, failures, error.retryAfter), signal, clock).catch(() => {});
    }
  }
}

function admissionOf(
  { rpc, retry }: BackendWire,
  { subject, attributes, cursor }: AdmissionMessage,
  ticket: TicketFacts,
): Admission {
  return {
    ticket,
    subject,
    attributes,
    cursor,
    async complete() {
      await retried((call) => rpc.complete(ticket.id, call), retry);
    },
  };
}
