// HTTP as clients of the gateway speak it: what was told, in the words of the history.

import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { StatusSchema } from "@usher/protocol/queue";
import type { Ended } from "../history/lines.ts";
import { seenOf } from "./seen.ts";
import { SERVICE_HEADER } from "./service.ts";

/** How long an answer is waited for, in milliseconds. */
const ANSWER_MS = 8_000;

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type End = Omit<Ended, "kind" | "at_ms" | "call">;

export interface Reply {
  readonly end: End;
  /** Where to look next, as a path; absent where nothing is said of it. */
  readonly location?: string;
}

/** Problems that say that nothing happened; of any other, something may have. */
const REFUSALS = new Set([
  ...["not_ready", "log_unavailable", "overloaded", "behind", "service_unreachable", "service_overloaded"],
  ...["queue_full", "queue_closed", "queue_not_found", "queue_reset", "key_reused", "already_claimed"],
  ...["ticket_not_found", "ticket_forgotten", "not_answered"],
]);

/** Problems that tell how a stored request has ended. */
const ENDS: Readonly<Record<string, End["end"]>> = {
  request_failed: "failed",
  request_unknown: "unknown",
  ticket_left: "left",
  ticket_expired: "expired",
  response_gone: "answered",
};

/** Sends once, and never rejects. */
export async function send(request: HttpRequest, stop: AbortSignal): Promise<Reply> {
  const { url, ...init } = request;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const answer = await fetch(url, { ...init, signal, redirect: "manual" });
    const text = await answer.text();
    return read(answer, text);
  } catch (error) {
    const reason = codeOf(error);
    return { end: { told: reason === "ECONNREFUSED" ? "refused" : "unknown", reason } };
  }
}

function read({ status, headers }: Response, text: string): Reply {
  const location = headers.get("location") ?? undefined;
  const number = headers.has("usher-ticket") ? Number(headers.get("usher-ticket")) : undefined;
  if (headers.has(SERVICE_HEADER)) {
    const stored = number !== undefined && ({ number, end: "answered" } as const);
    return { end: { told: "ok", reason: `${status}`, ...stored, answer: JSON.parse(text) } };
  }
  if (status === 303) return { end: { told: "ok", reason: "303", end: "answered" }, location };
  const body: JsonValue = text === "" ? {} : JSON.parse(text);
  if (status === 200 || status === 202) {
    const seen = seenOf(fromJson(StatusSchema, body, { ignoreUnknownFields: true }));
    return { end: { told: "ok", reason: `${status}`, seen }, location };
  }
  return { end: problem(body as { type?: string; ticket?: number }) };
}

function problem({ type = "", ticket }: { type?: string; ticket?: number }): End {
  const reason = type.replace("urn:usher:problem:", "");
  const end = ENDS[reason];
  if (end !== undefined) return { told: "ok", reason, end, ...(ticket !== undefined && { number: ticket }) };
  return { told: REFUSALS.has(reason) ? "refused" : "unknown", reason };
}

function codeOf(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? name;
}
