// `usher.admin.v1.AdminService` on a replica: queues, whole, and changing them; the node, and its log;
// failed requests, once more.

import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "@usher/protocol/admin";
import { type Queue, type Settings, settingsProblems } from "@usher/queue";
import type { Access } from "../access.ts";
import type { Replica } from "../replica.ts";
import { stateDigest } from "../state-digest.ts";
import { detailsMessage, nodeMessage, stateMessage, updatedSettings } from "./admin-codec.ts";
import { ticketMessage } from "./codec.ts";
import { notFailed, refusal, UsherError } from "./errors.ts";
import { guarded } from "./guard.ts";
import { readLog } from "./log-stream.ts";
import { checkQueueName, checkStateSize, invalid } from "./validation.ts";

const REASON_LENGTH_MAX = 500;

export function createAdminService(replica: Replica, access: Access): ServiceImpl<typeof AdminService> {
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
      access.backend(context.requestHeader);
      checkQueueName(request.queue);
      const queue = desk.queue(request.queue);
      checkReason(request.reason);
      if (request.etag !== etagOf(queue)) throw etagMismatch(queue);
      const settings = changed(queue, request);
      const outcome = await replica.configure(queue.name, settings, {
        revision: queue.revision + 1,
        reason: request.reason,
      });
      if (outcome.kind !== "applied") throw etagMismatch(queue);
      return { queue: details(queue) };
    },

    async getNode(_request, context) {
      access.backend(context.requestHeader);
      context.responseHeader.set("Cache-Control", "no-store");
      return { node: nodeMessage(replica) };
    },

    async *readLog(request, context) {
      access.backend(context.requestHeader);
      yield* readLog(replica, request, context.signal);
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
      access.backend(context.requestHeader);
      const place = desk.named(ticketId);
      checkReason(reason);
      const { name } = place.queue;
      const { outcome } = await replica.append({
        kind: "request_retried",
        queue: name,
        number: place.view.number,
        reason,
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

function checkReason(reason: string): void {
  if (reason !== "" && reason.length <= REASON_LENGTH_MAX) return;
  throw invalid("reason", `say why, in 1 to ${REASON_LENGTH_MAX} characters`);
}

function changed(
  queue: Queue,
  request: Parameters<ServiceImpl<typeof AdminService>["updateQueue"]>[0],
): Settings {
  const paths = request.updateMask?.paths ?? [];
  if (paths.length === 0) throw invalid("update_mask", "name the settings to change");
  if (request.settings === undefined) throw invalid("settings", "the new values are missing");
  const result = updatedSettings(queue.settings, request.settings, paths);
  if ("unknownPath" in result)
    throw invalid("update_mask", `"${result.unknownPath}" is no setting that can be changed`);
  const problems = settingsProblems(result.settings);
  if (problems.length > 0) throw invalid("settings", problems.join("; "));
  return result.settings;
}

function etagMismatch(queue: Queue): UsherError {
  return new UsherError(
    "ETAG_MISMATCH",
    `The queue "${queue.name}" was changed since; read it and try again.`,
    {
      queue: queue.name,
    },
  );
}
