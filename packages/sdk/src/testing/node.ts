// One node, in memory: where tickets are given out and shown, as the server's desk does it.

import {
  type Change,
  type LogEvent,
  NUMBER_MAX,
  type Outcome,
  type Queue,
  retryAfter_ms,
  type TicketView,
} from "@usher/queue";
import { UsherError } from "../errors.ts";
import type { IssueCall, QueueStatus, TicketFacts } from "../rpc/rpc.ts";
import type { Status } from "../status.ts";
import { type Caller, invalid } from "./checks.ts";
import type { MovedClock } from "./clock.ts";
import { MemoryLog } from "./log.ts";
import { refusal, told } from "./refusals.ts";
import { Secrets } from "./secrets.ts";
import { settingsOf, type TestQueueSettings } from "./settings.ts";
import { Streams } from "./streams.ts";
import { Timekeeper } from "./timekeeper.ts";

/** A ticket, in its queue. */
export interface Place {
  readonly queue: Queue;
  readonly view: TicketView;
}

/** What was told with a ticket, to be handed over with its admission. */
export interface Details {
  readonly subject: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const REASON = "the test has said so";

/** What a ticket is asked for, in the reducer's terms. */
export type IssueWish = Omit<Extract<LogEvent, { readonly kind: "ticket_issued" }>, "kind">;

export type IssuedPlace = Place & { readonly existing: boolean };

/** Takes what a record changed. */
export type ChangeListener = (changes: readonly Change[]) => void;

export class TestNode {
  readonly secrets = new Secrets();
  readonly streams: Streams;
  readonly clock: MovedClock;
  readonly #startsAt_ms: number;
  readonly #log: MemoryLog;
  readonly #timekeeper: Timekeeper;
  /** By the number of the record that issued the ticket; for as long as the ticket is remembered. */
  readonly #details = new Map<number, Details>();
  /** By queue. */
  readonly #services = new Map<string, readonly string[]>();
  /** As many as there are gateways in front of services. */
  readonly #listeners: ChangeListener[] = [];

  constructor(clock: MovedClock, startsAt: Date) {
    this.clock = clock;
    this.#startsAt_ms = startsAt.getTime();
    this.streams = new Streams(clock);
    this.#log = new MemoryLog(
      () => this.wall_ms,
      (changes) => this.#batch(changes),
    );
    this.#timekeeper = new Timekeeper(this.#log, clock);
  }

  /** What time it is, in ms since 1970. */
  get wall_ms(): number {
    return Math.floor(this.#startsAt_ms + this.clock.now_ms());
  }

  /** Makes a queue, or changes one. */
  configure(name: string, given: TestQueueSettings): void {
    const before = this.#log.fold.queue(name);
    const settings = settingsOf(name, given, before?.settings);
    if (before !== undefined && before.settings.kind !== settings.kind)
      throw new UsherError("misused", `the queue "${name}" is of kind ${before.settings.kind}, and stays so`);
    if (given.services !== undefined) this.#services.set(name, given.services);
    const revision = (before?.revision ?? 0) + 1;
    this.append({ kind: "queue_configured", queue: name, revision, settings, reason: REASON });
  }

  /** Throws what the reducer refuses. */
  append(event: LogEvent): Exclude<Outcome, { readonly kind: "refused" }> {
    const outcome = this.#log.append(event);
    this.#timekeeper.notice();
    if (outcome.kind === "refused") throw refusal(outcome.reason, "queue" in event ? event.queue : "");
    return outcome;
  }

  queue(name: string): Queue {
    const queue = this.#log.fold.queue(name);
    if (queue === undefined) throw refusal("no_queue", name);
    return queue;
  }

  /** Takes a ticket: the one that is there already, where it is the same. */
  issue(wish: IssueWish): IssuedPlace {
    const outcome = this.append({ kind: "ticket_issued", ...wish });
    if (outcome.kind !== "issued")
      throw new UsherError("internal", `The log took the record, and it was ${outcome.kind}.`);
    return { ...this.place(wish.queue, outcome.number), existing: outcome.existing };
  }

  /** The same, as the contract has it asked for. */
  issueTo(
    { queue: name, idempotencyKey, subject = "", attributes = {} }: IssueCall,
    caller: Caller,
  ): IssuedPlace {
    const { kind } = this.queue(name).settings;
    const isKeyed = idempotencyKey !== "";
    const inOrder = Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1));
    const issued = this.issue({
      queue: name,
      ...(isKeyed && {
        key: this.secrets.identity("key", [name, caller.id, idempotencyKey]),
        digest: this.secrets.digest([subject, ...inOrder.flat()]),
      }),
      ...(subject !== "" && { subject: this.secrets.identity("subject", [name, subject]) }),
      stored_request: false,
      ...(isKeyed && subject !== "" && kind === "pass" && { adopt_key: true }),
    });
    const hasDetails = subject !== "" || inOrder.length > 0;
    if (!issued.existing && hasDetails)
      this.#details.set(issued.view.origin.sequence, { subject, attributes });
    return issued;
  }

  /** The ticket that a token proves. */
  held(token: string, asOf: number): Place {
    const id = this.secrets.ticketOf(token);
    if (id === undefined) throw told("token_invalid", "This is not a ticket's token.");
    const what = "This node has not read as far as you have seen; try again, here or elsewhere.";
    if (asOf > this.#log.end) throw told("behind", what);
    return this.named(id);
  }

  /** The admitted ticket that a pass proves; absent where it is no good, or its ticket has ended. */
  heldBy(queue: string, pass: string): Place | undefined {
    const id = this.secrets.subjectOf(pass);
    if (id === undefined) return undefined;
    const place = this.named(id);
    return place.queue.name === queue && this.#pass(place) === pass ? place : undefined;
  }

  /** The ticket of an id. */
  named(id: string): Place {
    const [, name, epoch, number] = /^([a-z0-9._-]{1,64}):([0-9a-f]{16}):([1-9][0-9]{0,9})$/.exec(id) ?? [];
    if (name === undefined || !(Number(number) <= NUMBER_MAX))
      throw invalid("ticket_id", "not a ticket's id");
    if (epoch !== this.#log.epoch) throw refusal("unknown_ticket", name);
    return this.place(name, Number(number));
  }

  /** The ticket as it stands now. */
  again({ queue, view }: Place): Place {
    return this.place(queue.name, view.number);
  }

  token(place: Place): string {
    return this.secrets.token(this.id(place));
  }

  /** Hears of what each record changed, from now on. */
  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  details({ origin }: TicketView): Details | undefined {
    return this.#details.get(origin.sequence);
  }

  id({ queue, view }: Place): string {
    return `${queue.name}:${this.#log.epoch}:${view.number}`;
  }

  facts(place: Place): TicketFacts {
    const { number, state, issuedWall_ms, admittedWall_ms } = place.view;
    return {
      id: this.id(place),
      queue: place.queue.name,
      number,
      state,
      issuedAt: new Date(issuedWall_ms),
      ...(admittedWall_ms !== undefined && { admittedAt: new Date(admittedWall_ms) }),
    };
  }

  /** What the ticket's holder sees. */
  status(place: Place): Status {
    const { queue, view } = place;
    const { position, request, endedWall_ms } = view;
    const wait = view.state === "waiting" ? queue.wait(position ?? 0) : undefined;
    const retryAfter = retryAfter_ms(queue, view, { wait, still: false, now_ms: this.wall_ms });
    const pass = this.#pass(place);
    const { notice } = queue.settings;
    return {
      ...this.facts(place),
      ...(request !== undefined && { requestState: request }),
      ...(position !== undefined && { position }),
      ...(wait && { waitP50: Math.round(wait.p50_ms), waitP90: Math.round(wait.p90_ms) }),
      ...(endedWall_ms !== undefined && { endedAt: new Date(endedWall_ms) }),
      ...(pass !== undefined && { pass }),
      stale: false,
      ...(notice !== "" && { notice }),
      ...(retryAfter !== undefined && { retryAfter }),
      asOf: `${this.#log.end}`,
    };
  }

  queueStatus({ name, settings, waiting, nowServing, lastNumber, pace }: Queue): QueueStatus {
    const { kind, mode, notice } = settings;
    return {
      name,
      kind,
      mode,
      waiting,
      nowServing,
      lastNumber,
      ...(pace !== undefined && { pacePerSecond: pace }),
      ...(notice !== "" && { notice }),
    };
  }

  #pass(place: Place): string | undefined {
    const { queue, view } = place;
    const { session } = view;
    if (queue.settings.kind !== "pass" || session === undefined) return undefined;
    const sub = this.id(place);
    return this.secrets.pass({
      aud: this.#services.get(queue.name) ?? [queue.name],
      sub,
      queue: queue.name,
      iat: Math.floor(session.started_ms / 1_000),
      exp: Math.floor((session.started_ms + session.length_ms) / 1_000),
      jti: `${sub}.${session.extensions}`,
    });
  }

  /** The ticket of a number. */
  place(name: string, number: number): Place {
    const queue = this.queue(name);
    const view = queue.ticket(number);
    if (view === undefined) throw refusal("unknown_ticket", name);
    return { queue, view };
  }

  #batch(changes: readonly Change[]): void {
    for (const { kind, origin } of changes)
      if (kind === "forgotten" && origin !== undefined) this.#details.delete(origin.sequence);
    for (const listener of this.#listeners) listener(changes);
    this.streams.wakeAll();
  }
}
