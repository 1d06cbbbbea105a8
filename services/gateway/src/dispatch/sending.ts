// One attempt at one stored request: claim, read the claim back, send, tell the log.

import { create } from "@bufbuild/protobuf";
import { type StoredRequest, type StoredResponse, StoredResponseSchema } from "@usher/protocol/payload";
import type { LogEvent, ReleaseReason } from "@usher/queue";
import { type Replica, type TicketOrigin, traceContext } from "@usher/replica";
import { count } from "@usher/telemetry";
import type { Permit } from "@usher/traffic";
import type { Waiting } from "./backlog.ts";
import { Doubts } from "./doubts.ts";
import { pause_ms } from "./pause.ts";
import type { Requests } from "./requests.ts";
import type { RetryBudgets } from "./retry-budget.ts";
import type { Sender, SentOutcome } from "./sender.ts";

/** How often, and how long apart in ms, the log is told what became of a request when it does not take it: a full disk
 * may be seen to. Afterwards the claim lapses by itself, and the request is called unknown. */
const TELL_TRIES = 60;
const TELL_EVERY_MS = 1_000;

/** A claim for a request that cannot be read still has to name a time-out, in ms. */
const UNREADABLE_TIMEOUT_MS = 1_000;

/** What a request is sent with, and by what. */
export interface SendingOptions {
  readonly replica: Replica;
  readonly queue: string;
  readonly requests: Requests;
  readonly send: Sender;
  readonly budgets: RetryBudgets;
}

/** - `over`: the log knows what became of it, or somebody else has claimed it.
 * - `absent`: it is not claimed, for this node cannot read it, and others may.
 * - `later`: it is not claimed, for too much of what goes to its service has been there before. */
export type AttemptEnd = "over" | "absent" | "later";

export class Sending {
  readonly #replica: Replica;
  readonly #queue: string;
  readonly #requests: Requests;
  readonly #send: Sender;
  readonly #budgets: RetryBudgets;
  readonly #doubts: Doubts;
  /** The services of requests that this node has read, by ticket; of active ones only. */
  readonly #services = new Map<number, string>();
  /** Tickets with an attempt under way. */
  readonly #attempting = new Set<number>();
  /** Tickets whose request the log's store has lost, as was seen once. As many as are active, at most. */
  readonly #missed = new Set<number>();
  #notSentYet = 0;

  constructor(options: SendingOptions) {
    this.#replica = options.replica;
    this.#queue = options.queue;
    this.#requests = options.requests;
    this.#send = options.send;
    this.#budgets = options.budgets;
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
    this.#services.delete(number);
    this.#missed.delete(number);
    const view = this.#replica.fold.queue(this.#queue)?.ticket(number);
    if (view !== undefined) this.#requests.forget(view.origin, view.request !== undefined);
  }

  /** Whether a request that has been sent before may be sent again now. True where its service is not known yet. */
  mayRetry(number: number): boolean {
    const service = this.#services.get(number);
    const now_ms = this.#replica.clock.monotonic_ms();
    const may = service === undefined || this.#budgets.of(service).allows(now_ms);
    if (!may) count("usher.dispatch.held", [this.#queue]);
    return may;
  }

  /** Sends with the permit, which is done when the service is. Resolves when the log has been told, and rejects when it
   * could not be: the claim lapses then. */
  async attempt({ number, attempt, retry }: Waiting, permit: Permit): Promise<AttemptEnd> {
    const handOver = this.#handOver();
    this.#attempting.add(number);
    try {
      // At once, where it can be: of many that are attempted together, each finds what those before have left.
      const known = this.#services.get(number);
      if (known !== undefined && !this.#count(known, retry)) return "later";
      const view = this.#replica.fold.queue(this.#queue)?.ticket(number);
      if (view === undefined) return "over";
      const request = await this.#requests.read(view.origin);
      if (request === undefined && !(await this.#isGone(number, view.origin))) return "absent";
      if (request !== undefined && known === undefined) {
        this.#services.set(number, request.service);
        if (!this.#count(request.service, retry)) return "later";
      }
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

  /** Whether nobody can send a request that this node cannot read. What the log's store has lost, the node that took it
   * may have in memory still, and others in what they have kept: they have a while to themselves. What is stored, and
   * not to be opened here, is theirs. */
  async #isGone(number: number, origin: TicketOrigin): Promise<boolean> {
    if (!this.#replica.shared) return true;
    if (await this.#replica.payloads.has(origin)) return false;
    if (this.#replica.isOwn(origin) || this.#missed.has(number)) return true;
    this.#missed.add(number);
    return false;
  }

  /** Counts a sending, if there may be one more. */
  #count(service: string, retry: boolean): boolean {
    const budget = this.#budgets.of(service);
    const now_ms = this.#replica.clock.monotonic_ms();
    if (!retry) budget.sent(now_ms);
    else if (budget.allows(now_ms)) budget.retried(now_ms);
    else return false;
    return true;
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
    const pause = (refusal?: StoredResponse): number =>
      pause_ms(claim.attempt, refusal, this.#replica.clock.wall_ms());
    switch (outcome.kind) {
      case "answered":
        if (isRefusal(outcome.response))
          await this.#release(
            claim,
            "refused",
            pause(outcome.response),
            this.#kept(claim, origin, outcome.response),
          );
        else await this.#answer(claim, origin, outcome.response);
        return;
      case "not_connected":
      case "lost":
      case "timed_out":
        await this.#release(claim, outcome.kind, pause());
    }
  }

  /** Of a refusal the status is kept: if it was the last, the holder is told. */
  #kept({ attempt }: Claim, origin: TicketOrigin, { status }: StoredResponse): RecordPayload {
    const refusal = create(StoredResponseSchema, { status });
    return () => this.#replica.payloads.response(origin, attempt, refusal);
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

  async #release(
    { number, attempt, trace }: Claim,
    reason: ReleaseReason,
    not_before_ms: number,
    payload?: RecordPayload,
  ): Promise<void> {
    await this.#append(
      {
        kind: "claim_released",
        queue: this.#queue,
        number,
        attempt,
        not_before_ms,
        reason,
      },
      { payload, headers: trace },
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

type RecordPayload = NonNullable<Parameters<Replica["append"]>[1]>["payload"];

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
