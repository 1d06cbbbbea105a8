// `usher.admin.v1.AdminService` on a replica: queues, whole, and changing them; the node, and its log;
// failed requests, once more.

import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "@usher/protocol/admin";
import type { Queue } from "@usher/queue";
import type { Access, Caller } from "../access.ts";
import type { Replica } from "../replica.ts";
import { stateDigest } from "../state-digest.ts";
import { detailsMessage, nodeMessage, stateMessage } from "./admin-codec.ts";
import { ticketMessage } from "./codec.ts";
import { notFailed, refusal, UsherError } from "./errors.ts";
import { guarded } from "./guard.ts";
import { readLog } from "./log-stream.ts";
import { changedSettings, checkReason } from "./queue-change.ts";
import { checkQueueName, checkStateSize } from "./validation.ts";

/** `nodes`: among how many a `defer` queue's limit is divided; 1. */
export function createAdminService(
  replica: Replica,
  access: Access,
  { nodes = 1 }: { readonly nodes?: number } = {},
): ServiceImpl<typeof AdminService> {
  const { desk } = replica;
  const etagOf = (queue: Queue): string => `${replica.epoch()}-${queue.revision}`;
  const details = (queue: Queue) => detailsMessage(queue, etagOf(queue));

  const methods: ServiceImpl<typeof AdminService> = {
    async listQueues(_request, context) {
      access.backend(context.requestHeader);
      const queues = [...replica.fold.queues()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { queues: queues.map(details) };
    },

    async getQueue(request, context) {
      access.backend(context.requestHeader);
      checkQueueName(request.queue);
      return { queue: details(desk.queue(request.queue)) };
    },

    async updateQueue(request, context) {
      const actor = actorOf(access.backend(context.requestHeader));
      checkQueueName(request.queue);
      const queue = desk.queue(request.queue);
      checkReason(request.reason);
      if (request.etag !== etagOf(queue)) throw etagMismatch(queue, etagOf(queue));
      const settings = changedSettings(queue.settings, request, nodes);
      const outcome = await replica.configure(queue.name, settings, {
        revision: queue.revision + 1,
        reason: request.reason,
        actor,
      });
      if (outcome.kind !== "applied") throw etagMismatch(queue, etagOf(queue));
      return { queue: details(queue) };
    },

    async getNode(_request, context) {
      access.backend(context.requestHeader);
      context.responseHeader.set("Cache-Control", "no-store");
      return { node: nodeMessage(replica) };
    },

    async *readLog(request, context) {
      access.backend(context.requestHeader);
      for await (const part of readLog(replica, request, context.signal)) {
        // The key may have been revoked since.
        access.backend(context.requestHeader);
        yield part;
      }
    },

    async getState({ queue: only, asOf }, context) {
      access.backend(context.requestHeader);
      if (only !== "") checkQueueName(only);
      await desk.mustHaveRead(Number(asOf));
      checkStateSize(only === "" ? [...replica.fold.queues()] : [desk.queue(only)]);
      context.responseHeader.set("Cache-Control", "no-store");
      return stateMessage(replica, stateDigest(replica.fold, only || undefined));
    },

    async retryRequest({ ticketId, reason }, context) {
      const actor = actorOf(access.backend(context.requestHeader));
      const place = desk.named(ticketId);
      checkReason(reason);
      const { name } = place.queue;
      const { outcome } = await replica.append({
        kind: "request_retried",
        queue: name,
        number: place.view.number,
        reason,
        actor,
      });
      if (outcome.kind === "refused") {
        if (outcome.reason === "not_failed") throw notFailed(desk.again(place).view.request, name);
        throw refusal(outcome.reason, name);
      }
      const { queue, view } = desk.again(place);
      return { ticket: ticketMessage(queue, replica.epoch(), view) };
    },
  };
  return guarded<typeof AdminService>(methods, replica.onFault);
}

/** Who is named in the log: an API key. Of others nothing is told that could lead to their credentials. */
function actorOf({ id }: Caller): string {
  return id.startsWith("key:") ? id : "";
}

function etagMismatch({ name, revision }: Queue, etag: string): UsherError {
  return new UsherError(
    "ETAG_MISMATCH",
    `The queue "${name}" was changed since: this is revision ${revision} now. Read it and try again; the log tells who changed what, and why (usher queue history ${name}).`,
    { queue: name, revision: `${revision}`, etag },
  );
}
