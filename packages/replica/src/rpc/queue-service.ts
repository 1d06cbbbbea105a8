// `usher.queue.v1.QueueService` on a replica: the same implementation behind every listener.

import type { ServiceImpl } from "@connectrpc/connect";
import type { AdmitRequest, QueueService } from "@usher/protocol/queue";
import { ADMIT_MAX, type AdmitWho } from "@usher/queue";
import type { Access } from "../access.ts";
import type { Place } from "../desk.ts";
import type { Replica } from "../replica.ts";
import { traceContext } from "../trace.ts";
import { queueMessage, ticketMessage } from "./codec.ts";
import { refusal } from "./errors.ts";
import { guarded } from "./guard.ts";
import { mustGoOn, reconnectAfter } from "./stream-end.ts";
import { checkIssue, checkMayHold, checkQueueName, checkRequestId, invalid } from "./validation.ts";

export function createQueueService(replica: Replica, access: Access): ServiceImpl<typeof QueueService> {
  const { admissions, desk } = replica;

  const methods: ServiceImpl<typeof QueueService> = {
    async issue(request, context) {
      const caller = access.visitor(context.requestHeader);
      checkIssue(request, caller);
      const { queue, subject, attributes } = request;
      checkMayHold(desk.queue(queue), caller);
      const key = request.idempotencyKey || undefined;
      const hasDetails = subject !== "" || Object.keys(attributes).length > 0;
      const issued = await desk.issue({
        queue,
        caller,
        key,
        subject: subject || undefined,
        digest:
          key === undefined ? undefined : replica.hashes.request([subject, ...inOrder(attributes).flat()]),
        store: hasDetails ? { details: { subject, attributes } } : undefined,
        trace: traceContext((name) => context.requestHeader.get(name) ?? undefined),
      });
      return { status: desk.status(issued), token: issued.token, existing: issued.existing };
    },

    async getTicket(request, context) {
      access.visitor(context.requestHeader);
      const place = await desk.held(request.token, Number(request.asOf));
      context.responseHeader.set("Cache-Control", "no-store");
      return { status: desk.status(place) };
    },

    async *watchPosition(request, context) {
      access.visitor(context.requestHeader);
      const place = await desk.held(request.token, Number(request.asOf));
      let told = place;
      for await (const current of desk.watch(place, context.signal)) {
        // The key may have been revoked since.
        access.visitor(context.requestHeader);
        told = current;
        yield { status: desk.status(current) };
      }
      if (hasEnded(told)) return;
      mustGoOn(context.signal);
      if (!replica.draining.aborted) return;
      const last = desk.again(told);
      const status = desk.status(last);
      yield hasEnded(last) ? { status } : { status, reconnectAfter: reconnectAfter() };
    },

    async leave(request, context) {
      access.visitor(context.requestHeader);
      const place = await desk.held(request.token);
      return { status: desk.status(await desk.leave(place)) };
    },

    async getQueue(request, context) {
      access.visitor(context.requestHeader);
      checkQueueName(request.queue);
      await desk.mustHaveRead(Number(request.asOf));
      context.responseHeader.set("Cache-Control", "public, max-age=1");
      return { queue: queueMessage(desk.queue(request.queue)), asOf: BigInt(replica.asOf) };
    },

    async admit(request, context) {
      const caller = access.backend(context.requestHeader);
      checkQueueName(request.queue);
      checkRequestId(request.requestId);
      const queue = desk.queue(request.queue);
      const { outcome } = await replica.append({
        kind: "admit_requested",
        queue: queue.name,
        request_id: replica.hashes.requestId(queue.name, caller.id, request.requestId),
        who: whom(request, replica),
      });
      if (outcome.kind === "refused") throw refusal(outcome.reason, queue.name);
      const numbers = outcome.kind === "admitted" ? [...outcome.numbers] : [];
      return { admitted: numbers.length, numbers, waiting: queue.waiting };
    },

    async *watchAdmissions(request, context) {
      access.backend(context.requestHeader);
      checkQueueName(request.queue);
      const queue = desk.queue(request.queue);
      let cursor = request.cursor;
      for await (const view of admissions.watch(queue, Number(cursor), context.signal)) {
        // The key may have been revoked since.
        access.backend(context.requestHeader);
        if (view === undefined) {
          yield { cursor };
          continue;
        }
        cursor = BigInt(view.admission ?? 0);
        const details = await replica.payloads.readDetails(view.origin);
        yield { cursor, ticket: ticketMessage(queue, replica.epoch(), view), ...details };
      }
      mustGoOn(context.signal);
      if (replica.draining.aborted) yield { cursor, reconnectAfter: reconnectAfter() };
    },

    async complete(request, context) {
      access.backend(context.requestHeader);
      const place = await desk.complete(desk.named(request.ticketId));
      return { ticket: ticketMessage(place.queue, replica.epoch(), place.view) };
    },
  };
  return guarded<typeof QueueService>(methods, replica.onFault);
}

/** Whom an Admit means. */
function whom({ queue, who }: AdmitRequest, replica: Replica): AdmitWho {
  if (who.case === "count") {
    if (who.value >= 1 && who.value <= ADMIT_MAX) return { count: who.value };
    throw invalid("count", `${who.value} is not from 1 to ${ADMIT_MAX}`);
  }
  if (who.case === undefined) throw invalid("who", "say a count or a ticket_id");
  const place = replica.desk.named(who.value);
  if (place.queue.name !== queue) throw invalid("ticket_id", "the ticket is of another queue");
  return { number: place.view.number };
}

/** By name, so that the order in which they came makes no difference. */
function inOrder(attributes: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1));
}

function hasEnded({ view }: Place): boolean {
  return view.position === undefined;
}
