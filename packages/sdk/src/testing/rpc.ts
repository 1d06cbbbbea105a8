// The calls of the contract, answered in memory.

import { ADMIT_MAX, type AdmitWho, type Queue } from "@usher/queue";
import { UsherError } from "../errors.ts";
import { offset } from "../rpc/grpc/messages.ts";
import type {
  AdmissionMessage,
  AdmitCall,
  Admitted,
  BackendRpc,
  Call,
  Held,
  IssueCall,
  Issued,
  QueueStatus,
  TicketFacts,
  Watched,
} from "../rpc/rpc.ts";
import type { Status } from "../status.ts";
import { type Caller, checkIssue, checkQueueName, checkRequestId, invalid } from "./checks.ts";
import type { CallName, Failures } from "./failures.ts";
import type { Place, TestNode } from "./node.ts";
import { canceled, type Stream } from "./streams.ts";

export class TestRpc implements BackendRpc {
  readonly #node: TestNode;
  readonly #failures: Failures;
  readonly #caller: Caller;
  readonly #closed = new AbortController();

  constructor(node: TestNode, failures: Failures, caller: Caller) {
    this.#node = node;
    this.#failures = failures;
    this.#caller = caller;
  }

  issue(request: IssueCall, call: Call): Promise<Issued> {
    return this.#answer("issue", call, () => {
      checkIssue(request, this.#caller);
      this.#checkMayHold(this.#node.queue(request.queue));
      const issued = this.#node.issueTo(request, this.#caller);
      const token = this.#node.token(issued);
      return { status: this.#node.status(issued), token, existing: issued.existing };
    });
  }

  getTicket(held: Held, call: Call): Promise<Status> {
    return this.#answer("getTicket", call, () => this.#node.status(this.#held(held)));
  }

  async *watchPosition(held: Held, call: Call): AsyncGenerator<Watched, void> {
    const stream = this.#open("watchPosition", call);
    try {
      let place = this.#held(held);
      for (;;) {
        const told = worthTelling(place);
        yield { status: this.#node.status(place) };
        if (place.view.position === undefined) return;
        await stream.news(() => worthTelling(this.#node.again(place)) !== told);
        place = this.#node.again(place);
      }
    } finally {
      stream.close();
    }
  }

  leave(token: string, call: Call): Promise<Status> {
    return this.#answer("leave", call, () => {
      const place = this.#held({ token, asOf: "0" });
      const { queue, view } = place;
      this.#node.append({ kind: "ticket_left", queue: queue.name, number: view.number });
      return this.#node.status(this.#node.again(place));
    });
  }

  getQueue(queue: string, call: Call): Promise<QueueStatus> {
    return this.#answer("getQueue", call, () => {
      checkQueueName(queue);
      return this.#node.queueStatus(this.#node.queue(queue));
    });
  }

  admit(request: AdmitCall, call: Call): Promise<Admitted> {
    return this.#answer("admit", call, () => {
      checkQueueName(request.queue);
      checkRequestId(request.requestId);
      const queue = this.#node.queue(request.queue);
      const id = this.#node.secrets.identity("request-id", [queue.name, request.requestId]);
      const outcome = this.#node.append({
        kind: "admit_requested",
        queue: queue.name,
        request_id: Buffer.from(id).toString("hex"),
        who: this.#whom(request),
      });
      const numbers = outcome.kind === "admitted" ? [...outcome.numbers] : [];
      return { admitted: numbers.length, numbers, waiting: queue.waiting };
    });
  }

  async *watchAdmissions(name: string, cursor: string, call: Call): AsyncGenerator<AdmissionMessage, void> {
    let last = Number(offset(cursor));
    const stream = this.#open("watchAdmissions", call);
    try {
      checkQueueName(name);
      const queue = this.#node.queue(name);
      for (;;) {
        const next = nextAdmission(queue, last);
        const view = next && queue.ticket(next.number);
        if (next === undefined || view === undefined) {
          yield { cursor: `${last}`, attributes: {} };
          await stream.news(() => nextAdmission(queue, last) !== undefined);
          continue;
        }
        last = next.admission;
        const { subject = "", attributes = {} } = this.#node.details(view) ?? {};
        const ticket = this.#node.facts({ queue, view });
        yield { cursor: `${last}`, ticket, ...(subject !== "" && { subject }), attributes };
        stream.check();
      }
    } finally {
      stream.close();
    }
  }

  complete(ticket: string, call: Call): Promise<TicketFacts> {
    return this.#answer("complete", call, () => {
      const place = this.#node.named(ticket);
      const { queue, view } = place;
      this.#node.append({ kind: "ticket_completed", queue: queue.name, number: view.number });
      return this.#node.facts(this.#node.again(place));
    });
  }

  /** Streams that are open end, and nothing is answered any more. */
  close(): void {
    this.#closed.abort(new UsherError("canceled", "the client was closed"));
  }

  async #answer<A>(name: CallName, { signal }: Call, answer: () => A): Promise<A> {
    const either = this.#either(signal);
    if (either.aborted) throw canceled(either);
    const failure = this.#failures.meet(name);
    if (failure !== undefined && !failure.carriedOut) throw failure.error;
    const answered = answer();
    if (failure !== undefined) throw failure.error;
    return answered;
  }

  #open(name: CallName, { signal }: Call): Stream {
    const either = this.#either(signal);
    if (either.aborted) throw canceled(either);
    const failure = this.#failures.meet(name);
    if (failure !== undefined) throw failure.error;
    return this.#node.streams.open(either);
  }

  #either(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  #held({ token, asOf }: Held): Place {
    return this.#node.held(token, Number(offset(asOf)));
  }

  /** Whether the caller may have a ticket without a stored request, which in a `defer` queue holds up those with one. */
  #checkMayHold({ name, settings }: Queue): void {
    if (settings.kind !== "defer" || this.#caller.trusted) return;
    const what = `queue: in ${name} requests wait (kind DEFER), so Issue needs an API key there`;
    throw new UsherError("api_key_required", what);
  }

  #whom({ queue, whom }: AdmitCall): AdmitWho {
    if ("count" in whom) {
      const { count } = whom;
      if (Number.isInteger(count) && count >= 1 && count <= ADMIT_MAX) return { count };
      throw invalid("count", `${count} is not from 1 to ${ADMIT_MAX}`);
    }
    const place = this.#node.named(whom.ticket);
    if (place.queue.name !== queue) throw invalid("ticket_id", "the ticket is of another queue");
    return { number: place.view.number };
  }
}

/** What of a place is told at once when it changes. */
export function worthTelling({ queue, view }: Place): string {
  const { state, request, position, session } = view;
  return `${state} ${request} ${position} ${session?.extensions} ${queue.revision}`;
}

/** The first admission after this one whose ticket is active and has no stored request. */
function nextAdmission(queue: Queue, after: number): { number: number; admission: number } | undefined {
  if (queue.admissions <= after) return undefined;
  for (const { number, admission, stored } of queue.activeTickets())
    if (admission > after && !stored) return { number, admission };
  return undefined;
}
