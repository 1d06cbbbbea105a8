// Stored requests, brought as far as a test needs them.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema } from "@usher/protocol/payload";
import type { ReleaseReason } from "@usher/queue";
import { issue, type World } from "./world.ts";

const request = create(StoredRequestSchema, { method: "POST", target: "/" });

/** Takes a ticket with a stored request, which must have room at once, and sends it once; tells its number. */
export async function issueAndSend(world: World, queue: string): Promise<number> {
  const { view } = await issue(world, queue, { store: { request } });
  await send(world, queue, view.number, 1);
  return view.number;
}

/** Claims a request. */
export async function send(world: World, queue: string, number: number, attempt: number): Promise<void> {
  const claim = { attempt, timeout_ms: 30_000, idempotent: false };
  await world.replica.append({ kind: "dispatch_claimed", queue, number, ...claim });
}

/** Ends a claim without an answer. */
export async function giveBack(
  world: World,
  queue: string,
  number: number,
  reason: ReleaseReason,
  attempt = 1,
): Promise<void> {
  const released = { attempt, not_before_ms: 0, reason };
  await world.replica.append({ kind: "claim_released", queue, number, ...released });
}

/** Takes a ticket whose stored request fails at once; tells its id. */
export async function issueAndFail(world: World, queue: string): Promise<string> {
  const number = await issueAndSend(world, queue);
  await giveBack(world, queue, number, "payload_gone");
  return `${queue}:${world.replica.epoch()}:${number}`;
}
