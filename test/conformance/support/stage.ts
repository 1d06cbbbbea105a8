// What a case has: clients of each kind of caller, a queue of its own, and words for what is asked over and over.

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { AdminService } from "@usher/protocol/admin";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { type IssueResponse, QueueService, type Status, type Ticket } from "@usher/protocol/queue";
import { expect } from "vitest";
import type { Usher } from "../../support/usher.ts";
import type { Queues, Shape } from "./queues.ts";
import type { Target } from "./targets.ts";

export type QueueClient = Client<typeof QueueService>;

export interface Refusal {
  readonly code: Code;
  readonly reason: string;
  /** Which field is at fault. */
  readonly field?: string;
}

export class Stage {
  readonly target: Target;
  readonly usher: Usher;
  /** Has no API key. */
  readonly anonymous: QueueClient;
  /** Has an API key. */
  readonly backend: QueueClient;
  /** Has as little as visitors may have here: nothing, or an API key where all need one. */
  readonly visitor: QueueClient;
  readonly admin: Client<typeof AdminService>;
  readonly anonymousAdmin: Client<typeof AdminService>;
  readonly #queues: Queues;
  readonly #foreign: () => Promise<string>;

  constructor(target: Target, usher: Usher, queues: Queues, foreignToken: () => Promise<string>) {
    const without = target.transport(usher);
    const withKey = target.transport(usher, usher.apiKey);
    this.target = target;
    this.usher = usher;
    this.anonymous = createClient(QueueService, without);
    this.backend = createClient(QueueService, withKey);
    this.visitor = target.keys === "all" ? this.backend : this.anonymous;
    this.admin = createClient(AdminService, withKey);
    this.anonymousAdmin = createClient(AdminService, without);
    this.#queues = queues;
    this.#foreign = foreignToken;
  }

  /** A queue that no other case has. */
  queue(shape: Shape): string {
    return this.#queues.take(shape);
  }

  /** Takes so many tickets, one after the other. */
  async issue(queue: string, count: number): Promise<IssueResponse[]> {
    const answers = [];
    for (let i = 0; i < count; i++) {
      answers.push(await this.visitor.issue({ queue }));
    }
    return answers;
  }

  /** A visitor with connections of its own: for calls that are refused while they are still being sent. connect-node's
   * HTTP/1.1 client may then send its next request on the same connection, into the rest of the first one's body. */
  stranger(): QueueClient {
    const { target, usher } = this;
    return createClient(
      QueueService,
      target.transport(usher, target.keys === "all" ? usher.apiKey : undefined),
    );
  }

  /** A token of another deployment. */
  foreignToken(): Promise<string> {
    return this.#foreign();
  }

  /** Where a token's ticket stands now. */
  async status(token: string): Promise<Status> {
    const { status } = await this.visitor.getTicket({ token });
    return status ?? expect.fail("there is no status");
  }

  /** Proves that the service lives: a fresh ticket is issued, and is number 1 of its queue. */
  async takesAFreshTicket(): Promise<void> {
    const [answer] = await this.issue(this.queue("one"), 1);
    expect(ticketOf(answer).number).toBe(1);
  }
}

/** The ticket of an answer that must have one. */
export function ticketOf(answer: { readonly status?: Status | undefined } | undefined): Ticket {
  return answer?.status?.ticket ?? expect.fail("there is no ticket");
}

/** The error of a call that must be refused. */
export async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.fail("the call was not refused"),
    (error: unknown) => ConnectError.from(error),
  );
}

/** Checks how a call is refused: the code, and the details that programs read. */
export async function expectRefusal(call: Promise<unknown>, { code, reason, field }: Refusal): Promise<void> {
  const error = await errorOf(call);
  const [info] = error.findDetails(ErrorInfoSchema);
  expect({ code: Code[error.code], reason: info?.reason, domain: info?.domain }).toEqual({
    code: Code[code],
    reason,
    domain: "usher",
  });
  if (field !== undefined) {
    expect(info?.metadata.field).toBe(field);
  }
}

/** Checks that each of the calls, which are all under way, is refused so. */
export async function expectRefusals(calls: readonly Promise<unknown>[], refusal: Refusal): Promise<void> {
  await Promise.all(calls.map((call) => expectRefusal(call, refusal)));
}

/** Refusals that many cases expect. */
export const API_KEY_REQUIRED: Refusal = { code: Code.Unauthenticated, reason: "API_KEY_REQUIRED" };
export const TOKEN_INVALID: Refusal = { code: Code.Unauthenticated, reason: "TOKEN_INVALID" };
export const QUEUE_NOT_FOUND: Refusal = { code: Code.NotFound, reason: "QUEUE_NOT_FOUND" };
export const KEY_REUSED: Refusal = { code: Code.AlreadyExists, reason: "KEY_REUSED" };
export const NOT_ADMITTED: Refusal = { code: Code.FailedPrecondition, reason: "NOT_ADMITTED" };

export function invalid(field: string): Refusal {
  return { code: Code.InvalidArgument, reason: "INVALID_FIELD", field };
}

/** The first call of a stream, which is where a refusal of it shows. */
export async function first<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) {
    return message;
  }
  return expect.fail("the stream ended without a message");
}
