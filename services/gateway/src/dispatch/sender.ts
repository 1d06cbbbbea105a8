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
import { type Service, ServiceFault } from "../forward/service.ts";

/** What became of one sending. All but `answered` say that there is no answer of the service to keep. */
export type SentOutcome =
  | { readonly kind: "answered"; readonly response: StoredResponse }
  | { readonly kind: "not_connected" | "lost" | "timed_out" };

/** Sends a request of a ticket, and gives up after `timeout_ms`; `onSent` is called when its first byte goes out. Never rejects. */
export type Sender = (
  request: StoredRequest,
  ticket: { readonly number: number; readonly timeout_ms: number; readonly onSent: () => void },
) => Promise<SentOutcome>;

/** Says on a stored answer that its body was too large to be kept. Nothing of it is: half an answer would be taken for
 * a whole one. */
const DROPPED_HEADER = "Usher-Body-Dropped";

/** What says of a body how it is to be read, or that it is the one that was sent: nonsense without it. */
const OF_THE_BODY = new Set([
  ...["content-length", "content-encoding", "content-range", "content-md5"],
  ...["content-digest", "repr-digest", "digest"],
]);

export interface SenderOptions {
  readonly services: ReadonlyMap<string, Service>;
  /** The origin that clients know; absent: the one that each request named. */
  readonly public_url: string | undefined;
  /** Told of a service that fails. */
  readonly onFault: (error: Error) => void;
}

export function senderTo({ services, public_url, onFault }: SenderOptions): Sender {
  const stored = (request: StoredRequest, answer: Omit<StoredAnswer, "origin">) =>
    storedResponse(request, { ...answer, origin: public_url ?? originOf(request) });
  return async (request, { number, timeout_ms, onSent }) => {
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
      timeout_ms,
      response_bytes: request.responseBytes || undefined,
      onSent,
    });
    switch (result.kind) {
      case "answered":
        return { kind: "answered", response: stored(request, result) };
      case "too_large": {
        const dropped = `more than ${request.responseBytes} bytes`;
        const kept = result.headers.filter(({ name }) => !OF_THE_BODY.has(name.toLowerCase()));
        const headers = [...kept, { name: DROPPED_HEADER, value: Buffer.from(dropped) }];
        return {
          kind: "answered",
          response: stored(request, { status: result.status, headers, body: new Uint8Array() }),
        };
      }
      default: {
        onFault(new ServiceFault(service, result.kind));
        const sent = result.kind !== "timed_out" || result.sent;
        return { kind: sent ? result.kind : "not_connected" };
      }
    }
  };
}

interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly StoredHeader[];
  readonly body: Uint8Array;
  /** Of what a relative `Location` is meant. */
  readonly origin: string;
}

function storedResponse(request: StoredRequest, answer: StoredAnswer): StoredResponse {
  const { status, headers, body, origin } = answer;
  const base = URL.parse(request.target, origin);
  const kept = headers.map(({ name, value }) => {
    const moved = name.toLowerCase() === "location" ? absolute(base, value) : value;
    return create(HeaderSchema, { name, value: moved });
  });
  return create(StoredResponseSchema, { status, headers: kept, body });
}

/** A relative `Location` would be read against the ticket's address, where the answer is collected. */
function absolute(base: URL | null, location: Uint8Array): Uint8Array {
  const resolved = base && URL.parse(Buffer.from(location).toString("latin1"), base.href);
  return resolved ? Buffer.from(resolved.href) : location;
}

function originOf(request: StoredRequest): string {
  const host = headerOf(request, "x-forwarded-host") ?? headerOf(request, "host");
  return `${headerOf(request, "x-forwarded-proto") ?? "http"}://${host}`;
}

function headerOf(request: StoredRequest, name: string): string | undefined {
  const header = request.headers.find((candidate: Header) => candidate.name.toLowerCase() === name);
  return header && Buffer.from(header.value).toString("latin1");
}
