// Where tickets are given out and shown: the steps that RPC and HTTP share.

import type { StoredRequest } from "@usher/protocol/payload";
import type { Status } from "@usher/protocol/queue";
import { type Queue, retryAfter_ms, type TicketView, type Wait } from "@usher/queue";
import type { Caller } from "./access.ts";
import { Extensions } from "./extensions.ts";
import type { RecordOptions } from "./log/session.ts";
import type { Details } from "./payloads.ts";
import type { Replica } from "./replica.ts";
import { parseTicketId, statusMessage } from "./rpc/codec.ts";
import { refusal, UsherError } from "./rpc/errors.ts";

/** What a ticket is asked for. */
export interface IssueWish {
  readonly queue: string;
  readonly caller: Caller;
  /** The idempotency key; absent: a retry takes another ticket. */
  readonly key?: string;
  /** In a pass queue, one subject has one live ticket. */
  readonly subject?: string;
  /** A browser's own secret, instead of a subject; never the same as one that a backend names. */
  readonly visitor?: string;
  /** What tells this request from another under the same key. */
  readonly digest?: Uint8Array;
  /** Stored with the ticket: the request to send at its turn, or what to hand over with the admission. */
  readonly store?: { readonly request: StoredRequest } | { readonly details: Details };
  /** The trace that it belongs to (`traceContext`). */
  readonly trace?: RecordOptions["headers"];
}

/** A ticket, in its queue. */
export interface Place {
  readonly queue: Queue;
  readonly view: TicketView;
  /** How far into the log this is true. */
  readonly asOf: number;
}

export interface IssuedPlace extends Place {
  readonly token: string;
  readonly existing: boolean;
}

export class Desk {
  readonly #replica: Replica;
  /** This node's issues that are written but not folded yet, by queue. */
  readonly #unfolded = new Map<string, number>();
  readonly #extensions: Extensions;

  constructor(replica: Replica) {
    this.#replica = replica;
    this.#extensions = new Extensions(replica);
  }

  /** How many issues of this node are on their way into the log. */
  unfolded(queue: string): number {
    return this.#unfolded.get(queue) ?? 0;
  }

  /** The queue of that name. Throws QUEUE_NOT_FOUND. */
  queue(name: string): Queue {
    const queue = this.#replica.fold.queue(name);
    if (queue === undefined) throw refusal("no_queue", name);
    return queue;
  }

  /** Takes a ticket; resolves when it is durable and has its number. A visitor who brings no key gets the live ticket
   * that is there without a record. */
  async issue(wish: IssueWish): Promise<IssuedPlace> {
    const { visitor } = wish;
    if (visitor !== undefined && wish.key === undefined) {
      const found = this.findVisitor({ queue: wish.queue, visitor });
      if (found !== undefined) return found;
    }
    this.#mustBeReady();
    const queue = this.queue(wish.queue);
    const { hashes } = this.#replica;
    const key =
      wish.key === undefined ? undefined : hashes.idempotencyKey(queue.name, wish.caller.id, wish.key);
    const subject = this.#subject(wish);
    const adopts = queue.settings.kind === "pass" && key !== undefined && subject !== undefined;
    const refused = queue.refusalOf(key, subject);
    // The fold decides; but what it would surely refuse is not written, or a full queue would fill the disk.
    if (refused !== undefined) throw refusal(refused, queue.name);
    this.#countUnfolded(queue.name, 1);
    try {
      const stored_request = wish.store !== undefined && "request" in wish.store;
      const { outcome, name } = await this.#replica.append(
        {
          kind: "ticket_issued",
          queue: queue.name,
          key,
          subject,
          digest: key && wish.digest,
          stored_request,
          adopt_key: adopts || undefined,
        },
        { payload: this.#payload(wish.store), headers: wish.trace },
      );
      if (outcome.kind === "issued") {
        if (outcome.existing && wish.store) this.#replica.discard(name);
        return this.#issued(queue, outcome.number, outcome.existing);
      }
      if (wish.store) this.#replica.discard(name);
      throw outcome.kind === "refused" ? refusal(outcome.reason, queue.name) : unexpected(outcome.kind);
    } finally {
      this.#countUnfolded(queue.name, -1);
    }
  }

  /** Whether a key has a ticket already. */
  knows(wish: Required<Pick<IssueWish, "queue" | "caller" | "key">>): boolean {
    return this.#byKey(wish, undefined) !== undefined;
  }

  /** The ticket that a key has already, looked up without writing. Throws KEY_REUSED when it was another request's than
   * that of the digest; without one, that is for whoever asks to see. */
  find(
    wish: Required<Pick<IssueWish, "queue" | "caller" | "key">> & Pick<IssueWish, "digest">,
  ): IssuedPlace | undefined {
    const found = this.#byKey(wish, wish.digest);
    if (found === undefined) return undefined;
    if (wish.digest !== undefined && !found.same) throw refusal("key_reused", wish.queue);
    return this.#issued(this.queue(wish.queue), found.number, true);
  }

  /** The live ticket of a visitor, looked up without writing: a browser that asks again and again costs the log
   * nothing. */
  findVisitor({ queue: name, visitor }: { queue: string; visitor: string }): IssuedPlace | undefined {
    const queue = this.queue(name);
    const number = queue.bySubject(this.#replica.hashes.visitor(name, visitor));
    return number === undefined ? undefined : this.#issued(queue, number, true);
  }

  /** The ticket that a token proves. Waits until this node has read as far as the token, or the caller, has seen. */
  async held(token: string, asOf = 0): Promise<Place> {
    const claims = this.#replica.tokens.verify(token);
    if (claims === undefined) throw new UsherError("TOKEN_INVALID", "This is not a ticket's token.");
    if (claims.epoch !== this.#replica.epoch()) {
      throw new UsherError("QUEUE_RESET", "The queue was made anew since; take another ticket.");
    }
    await this.mustHaveRead(Math.max(asOf, claims.as_of));
    return this.#place(claims.queue, claims.number);
  }

  /** The ticket of an id, for backends. */
  named(id: string): Place {
    const parsed = parseTicketId(id);
    if (parsed === undefined) {
      throw new UsherError("INVALID_FIELD", "ticket_id: not a ticket's id", { field: "ticket_id" });
    }
    if (parsed.epoch !== this.#replica.epoch()) throw refusal("unknown_ticket", parsed.queue);
    return this.#place(parsed.queue, parsed.number);
  }

  /** The ticket as it stands now. */
  again({ queue, view }: Place): Place {
    return this.#place(queue.name, view.number);
  }

  /** Gives a ticket up, and shows it as it stands then. */
  async leave(place: Place): Promise<Place> {
    const { queue, view } = place;
    const { outcome } = await this.#replica.append({
      kind: "ticket_left",
      queue: queue.name,
      number: view.number,
    });
    if (outcome.kind === "refused") throw refusal(outcome.reason, queue.name);
    return this.again(place);
  }

  /** Ends an admitted ticket, and shows it as it stands then. */
  async complete(place: Place): Promise<Place> {
    const { queue, view } = place;
    const { outcome } = await this.#replica.append({
      kind: "ticket_completed",
      queue: queue.name,
      number: view.number,
    });
    if (outcome.kind === "refused") throw refusal(outcome.reason, queue.name);
    return this.again(place);
  }

  /** Begins the session of an admitted ticket without a stored request anew, and shows the ticket as it stands then. Only
   * one record a ticket is on its way from this node: whoever asks meanwhile waits for it. Throws NOT_ADMITTED where it
   * waits or has ended. */
  async extend(place: Place): Promise<Place> {
    const { queue, view } = place;
    const outcome = await this.#extensions.extend(queue, view.number);
    if (outcome.kind === "refused") throw refusal(outcome.reason, queue.name);
    return this.again(place);
  }

  /** What is left of the ticket's session now, in ms of log time; absent where it has none: it waits, has ended, or
   * carries a stored request. */
  sessionLeft_ms({ queue, view }: Place): number | undefined {
    return this.#extensions.left_ms(queue, view.number);
  }

  /** What the ticket's holder sees now. */
  status(place: Place): Status {
    const { queue, view, asOf } = place;
    const { passes, stale } = this.#replica;
    return statusMessage({
      queue,
      epoch: this.#replica.epoch(),
      view,
      pass: passes.mint({ queue, view }),
      wait: this.#wait(place),
      retry_ms: this.retryAfter_ms(place),
      stale,
      asOf,
    });
  }

  /** When the ticket's holder should ask again, in whole seconds of ms; absent once there is nothing to wait for. */
  retryAfter_ms(place: Place): number | undefined {
    const now_ms = this.#replica.clock.wall_ms();
    return retryAfter_ms(place.queue, place.view, { wait: this.#wait(place), still: this.#still, now_ms });
  }

  /** How long a newcomer would wait, behind all who wait and those whose tickets this node is writing: the median, in ms
   * of log time; 0 where one would be admitted at once; absent while nobody knows. */
  newcomerWait_ms(queue: Queue): number | undefined {
    return this.#still ? undefined : queue.newcomerWait_ms(this.unfolded(queue.name));
  }

  /** The ticket now, and anew whenever its place is worth telling; ends after its end, when the signal aborts, or when
   * this node shuts down. Throws TICKET_NOT_FOUND where it was forgotten before its end could be told. */
  async *watch(place: Place, signal: AbortSignal): AsyncGenerator<Place, void> {
    const { places, draining } = this.#replica;
    if (places.full) throw new UsherError("OVERLOADED", "This node holds as many streams as it may.");
    const either = AbortSignal.any([signal, draining]);
    for await (const _ of places.watch(place.queue.name, place.view.number, either)) {
      const now = this.again(place);
      yield now;
      if (now.view.position === undefined) return;
    }
  }

  /** Rejects with BEHIND when this node does not come as far within a second. */
  async mustHaveRead(asOf: number): Promise<void> {
    if (await this.#replica.caughtUp(asOf)) return;
    throw new UsherError(
      "BEHIND",
      "This node has not read as far as you have seen; try again, here or elsewhere.",
    );
  }

  #byKey(
    { queue, caller, key }: Required<Pick<IssueWish, "queue" | "caller" | "key">>,
    digest: Uint8Array | undefined,
  ): ReturnType<Queue["byKey"]> {
    return this.queue(queue).byKey(this.#replica.hashes.idempotencyKey(queue, caller.id, key), digest);
  }

  /** What was measured says nothing of what comes: this node does not read on, or nobody keeps time. */
  get #still(): boolean {
    return this.#replica.stale || this.#replica.timekeeper === undefined;
  }

  #wait({ queue, view }: Place): Wait | undefined {
    return view.state !== "waiting" || this.#still ? undefined : queue.wait(view.position ?? 0);
  }

  #subject({ queue, subject, visitor }: IssueWish): Uint8Array | undefined {
    const { hashes } = this.#replica;
    if (subject !== undefined) return hashes.subject(queue, subject);
    return visitor === undefined ? undefined : hashes.visitor(queue, visitor);
  }

  #mustBeReady(): void {
    if (this.#replica.ready) return;
    throw new UsherError("NOT_READY", "This node gives out no tickets now; try again, here or elsewhere.");
  }

  #place(name: string, number: number): Place {
    const queue = this.queue(name);
    const view = queue.ticket(number);
    if (view === undefined) throw refusal("unknown_ticket", name);
    return { queue, view, asOf: this.#replica.asOf };
  }

  #issued(queue: Queue, number: number, existing: boolean): IssuedPlace {
    const place = this.#place(queue.name, number);
    const token = this.#replica.tokens.mint({
      queue: queue.name,
      epoch: this.#replica.epoch(),
      number,
      as_of: place.asOf,
    });
    return { ...place, token, existing };
  }

  #payload(store: IssueWish["store"]): RecordOptions["payload"] {
    if (store === undefined) return undefined;
    const { payloads } = this.#replica;
    return (origin) =>
      "request" in store ? payloads.request(origin, store.request) : payloads.details(origin, store.details);
  }

  #countUnfolded(queue: string, by: number): void {
    const count = this.unfolded(queue) + by;
    if (count === 0) this.#unfolded.delete(queue);
    else this.#unfolded.set(queue, count);
  }
}

function unexpected(outcome: string): UsherError {
  return new UsherError("INTERNAL", `The log took the record, and it was ${outcome}.`);
}
