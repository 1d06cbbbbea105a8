// A stored request on its way to its service: from what the log keeps to what goes over the wire, and back.

import { create } from "@bufbuild/protobuf";
import {
  type Header,
  HeaderSchema,
  type StoredRequest,
  type StoredResponse,
  StoredResponseSchema,
} from "@usher/protocol/payload";
import { type StoredHeader, sendStored } from "../forward/send.ts";
import type { Service } from "../forward/service.ts";

/** What became of one sending. All but `answered` say that there is no answer of the service to keep. */
export type SentOutcome =
  | { readonly kind: "answered"; readonly response: StoredResponse }
  | { readonly kind: "not_connected" | "lost" | "timed_out" };

/** Sends a request of a ticket; `onSent` is called when its first byte goes out. Never rejects. */
export type Sender = (
  request: StoredRequest,
  ticket: { readonly number: number; readonly onSent: () => void },
) => Promise<SentOutcome>;

/** Says on a stored answer that its body was too large to be kept. */
const DROPPED_HEADER = "Usher-Body-Dropped";

export function senderTo(services: ReadonlyMap<string, Service>): Sender {
  return async (request, { number, onSent }) => {
    const service = services.get(request.service);
    // The configuration names it no longer: nothing can be sent, now or by another attempt soon.
    if (service === undefined) return { kind: "not_connected" };
    const result = await sendStored({
      service,
      method: request.method,
      target: request.target,
      headers: request.headers,
      body: request.body,
      add: [["Usher-Ticket", `${number}`]],
      timeout_ms: request.timeoutMs,
      response_bytes: request.responseBytes || undefined,
      onSent,
    });
    switch (result.kind) {
      case "answered":
        return { kind: "answered", response: stored(request, result.status, result.headers, result.body) };
      case "too_large": {
        const dropped = `more than ${request.responseBytes} bytes`;
        const headers = [...result.headers, { name: DROPPED_HEADER, value: Buffer.from(dropped) }];
        return { kind: "answered", response: stored(request, result.status, headers, new Uint8Array()) };
      }
      case "timed_out":
        return { kind: result.sent ? "timed_out" : "not_connected" };
      case "not_connected":
      case "lost":
        return { kind: result.kind };
    }
  };
}

function stored(
  request: StoredRequest,
  status: number,
  headers: readonly StoredHeader[],
  body: Uint8Array,
): StoredResponse {
  const kept = headers.map(({ name, value }) =>
    create(HeaderSchema, {
      name,
      value: name.toLowerCase() === "location" ? absolute(request, value) : value,
    }),
  );
  return create(StoredResponseSchema, { status, headers: kept, body });
}

/** A relative `Location` would be read against the ticket's address, where the answer is collected. */
function absolute(request: StoredRequest, location: Uint8Array): Uint8Array {
  const origin = `${headerOf(request, "x-forwarded-proto") ?? "http"}://${headerOf(request, "host")}`;
  const base = URL.parse(request.target, origin);
  const resolved = base && URL.parse(Buffer.from(location).toString("latin1"), base.href);
  return resolved ? Buffer.from(resolved.href) : location;
}

function headerOf(request: StoredRequest, name: string): string | undefined {
  const header = request.headers.find((candidate: Header) => candidate.name.toLowerCase() === name);
  return header && Buffer.from(header.value).toString("latin1");
}
