// One attempt at one stored request: claim, read the claim back, send, tell the log.

import type { StoredRequest, StoredResponse } from "@usher/protocol/payload";
import type { LogEvent, ReleaseReason } from "@usher/queue";
import { type Replica, type TicketOrigin, traceContext } from "@usher/replica";
import type { Permit } from "@usher/traffic";
import { Doubts } from "./doubts.ts";
import type { Requests } from "./requests.ts";
import type { Sender, SentOutcome } from "./sender.ts";

/** Between two tries at a request that the service refused, in ms of log time: doubled with each, up to the most. */
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** By what part a pause is lengthened or shortened at random, so that those who failed together come back apart. */
const RETRY_JITTER = 0.2;

/** How often, and how long apart in ms, the log is told what became of a request when it does not take it: a full disk
 * may be seen to. Afterwards the claim lapses by itself, and the request is called unknown. */
const TELL_TRIES = 60;
const TELL_EVERY_MS = 1_000;

/** A claim for a request that cannot be read still has to name a time-out, in ms. */
const UNREADABLE_TIMEOUT_MS = 1_000;

export class Sending {
  readonly #replica: Replica;
  readonly #queue: string;
  readonly #requests: Requests;
  readonly #send: Sender;
  readonly #doubts: Doubts;
  /** Tickets with an attempt under way. */
  readonly #attempting = new Set<number>();
  #notSentYet = 0;

  constructor(options: { replica: Replica; queue: string; requests: Requests; send: Sender }) {
    this.#replica = options.replica;
    this.#queue = options.queue;
    this.#requests = options.requests;
    this.#send = options.send;
    this.#doubts = new Doubts(options.replica, options.queue);
  }

  /** Requests that are claimed, or about to be, and have not gone out yet: newcomers are behind them. */
  get notSentYet(): number {
    return this.#notSentYet;
  }

  /** A ticket of the queue was claimed, by whomever. A claim of this node's that nobody waits for any more is given
   * back: it will not be sent. */
  claimed(number: number): void {
    if (this.#attempting.has(number) || !this.#doubts.turnedUp(number)) return;
    const attempt = this.#replica.fold.queue(this.#queue)?.activeTicket(number)?.attempt ?? 0;
    this.#release({ number, attempt, trace: undefined }, "draining", 0).catch(this.#replica.onFault);
  }

  /** A ticket of the queue has ended, in whatever way. */
  ended(number: number): void {
    this.#doubts.over(number);
    const view = this.#replica.fold.queue(this.#queue)?.ticket(number);
    if (view !== undefined) this.#requests.forget(view.origin);
  }

  /** Sends with the permit, which is done when the service is. Resolves when the log has been told, and rejects when it
   * could not be: the claim lapses then. "absent": it is not claimed, for other nodes may have it, and this has not. */
  async attempt(number: number, attempt: number, permit: Permit): Promise<"over" | "absent"> {
    const handOver = this.#handOver();
    this.#attempting.add(number);
    try {
      const view = this.#replica.fold.queue(this.#queue)?.ticket(number);
      if (view === undefined) return "over";
      const request = await this.#requests.read(view.origin);
      if (request === undefined && this.#replica.shared) return "absent";
      const claimed_ms = this.#replica.clock.monotonic_ms();
      const timeout_ms = request?.timeoutMs ?? UNREADABLE_TIMEOUT_MS;
      const claim = { number, attempt, trace: request && traceOf(request) };
      if (!(await this.#claim(claim, timeout_ms, request?.idempotent ?? false))) return "over";
      if (request === undefined) {
        await this.#release(claim, "payload_gone", 0);
        return "over";
      }
      const left_ms = timeout_ms - (this.#replica.clock.monotonic_ms() - claimed_ms);
      // A claim that took this long to be read back may lapse before its answer could come. And a node that shuts down
      // leaves what it has not sent to others.
      if (left_ms < timeout_ms / 2 || this.#replica.draining.aborted) {
        await this.#release(claim, "draining", 0);
        return "over";
      }
      const outcome = await this.#send(request, { number, timeout_ms: left_ms, onSent: handOver });
      permit.done();
      await this.#tell(claim, view.origin, outcome);
      return "over";
    } finally {
      this.#attempting.delete(number);
      handOver();
      permit.done();
    }
  }

  /** Counts a request as not sent yet, until the returned function is called. */
  #handOver(): () => void {
    this.#notSentYet++;
    let counted = true;
    return () => {
      if (counted) this.#notSentYet--;
      counted = false;
    };
  }

  /** Whether the claim is ours: the first in the log. */
  async #claim({ number, attempt, trace }: Claim, timeout_ms: number, idempotent: boolean): Promise<boolean> {
    const event = {
      kind: "dispatch_claimed",
      queue: this.#queue,
      number,
      attempt,
      timeout_ms,
      idempotent,
    } as const;
    try {
      const { outcome } = await this.#replica.append(event, { headers: trace });
      if (outcome.kind === "applied") this.#doubts.over(number);
      // Or it is claimed already, by the record of an attempt before this one.
      return outcome.kind === "applied" || this.#doubts.turnedUp(number);
    } catch (error) {
      this.#doubts.failed(number, attempt, error);
      throw error;
    }
  }

  async #tell(claim: Claim, origin: TicketOrigin, outcome: SentOutcome): Promise<void> {
    const pause_ms = retryPause_ms(claim.attempt);
    switch (outcome.kind) {
      case "answered":
        if (isRefusal(outcome.response))
          await this.#release(claim, "refused", retryAfter_ms(outcome.response) ?? pause_ms);
        else await this.#answer(claim, origin, outcome.response);
        return;
      case "not_connected":
      case "lost":
      case "timed_out":
        await this.#release(claim, outcome.kind, pause_ms);
    }
  }

  /** The response is stored with the record that calls the request answered. */
  async #answer(claim: Claim, origin: TicketOrigin, response: StoredResponse): Promise<void> {
    const { number, attempt, trace } = claim;
    this.#requests.answered(origin, attempt, response);
    await this.#append(
      { kind: "request_answered", queue: this.#queue, number, attempt, status: response.status },
      { payload: () => this.#replica.payloads.response(origin, attempt, response), headers: trace },
    );
  }

  async #release({ number, attempt, trace }: Claim, reason: ReleaseReason, pause_ms: number): Promise<void> {
    await this.#append(
      {
        kind: "claim_released",
        queue: this.#queue,
        number,
        attempt,
        not_before_ms: Math.round(pause_ms),
        reason,
      },
      { headers: trace },
    );
  }

  /** Tells the log what cannot be told anew: patiently. A record that is there already has no effect again. */
  async #append(event: LogEvent, options?: Parameters<Replica["append"]>[1]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#replica.append(event, options);
        return;
      } catch (error) {
        if (tries === TELL_TRIES || this.#replica.halted !== undefined || this.#replica.draining.aborted)
          throw error;
        await new Promise((resolve) => setTimeout(resolve, TELL_EVERY_MS));
      }
    }
  }
}

/** One claim of this node's. */
interface Claim {
  readonly number: number;
  readonly attempt: number;
  /** What the records about it carry, so that a trace can be followed from the request on. */
  readonly trace: ReturnType<typeof traceContext>;
}

function traceOf({ headers }: StoredRequest): ReturnType<typeof traceContext> {
  return traceContext((wanted) => {
    const found = headers.filter(({ name }) => name.toLowerCase() === wanted);
    return found.length === 1 ? Buffer.from(found[0]?.value ?? "").toString("latin1") : undefined;
  });
}

/** The service says that it has not carried the request out, and to come again. */
function isRefusal({ status }: StoredResponse): boolean {
  return status === 429 || status === 503;
}

/** When the service wants to be asked again, within bounds; absent where it does not say. */
function retryAfter_ms({ headers }: StoredResponse): number | undefined {
  const header = headers.find(({ name }) => name.toLowerCase() === "retry-after");
  const seconds = header && /^\d{1,9}$/.exec(Buffer.from(header.value).toString("latin1"))?.[0];
  return seconds === undefined ? undefined : Math.min(RETRY_MAX_MS, Number(seconds) * 1000);
}

function retryPause_ms(attempt: number): number {
  const pause_ms = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (attempt - 1));
  return pause_ms * (1 + RETRY_JITTER * (2 * Math.random() - 1));
}
