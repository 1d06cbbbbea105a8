// What a call must look like before grpc-js may see it. Pure.

import { constants, type IncomingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import { ACCEPTED_ENCODINGS } from "./inflate.ts";
import { PRINTABLE } from "./metadata.ts";

/** What is granted to the calls of one method. */
export interface CallPolicy {
  /** Compressed requests are taken. */
  readonly gzip: boolean;
  /** Milliseconds from the headers to the end of the request. */
  readonly request_ms: number;
  /** Milliseconds from the headers to the end of the call; absent: as long as it likes. */
  readonly total_ms?: number;
  /** The call serves a tool and has no end of its own, so the listener ends it when it closes. */
  readonly tool: boolean;
}

/** How a call is turned away: by HTTP where it is no gRPC, else with a gRPC status. */
export type Refusal = { readonly http: number } | { readonly grpc: status; readonly message: string };

/** The longest time-out that Node's timers take, in milliseconds: 24.8 days. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** What HTTP/2 counts for a header beside its name and value, in bytes. */
const HEADER_OVERHEAD = 32;

const CONTENT_TYPE = /^application\/grpc(\+proto)?(;|$)/;

/** `grpc-timeout`, as gRPC defines it. */
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;

const UNIT_MS = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 0.001],
  ["n", 0.000_001],
]);

/** The policy of the method that is called, or why the call is refused. What the client sent is never repeated: it
 * would travel back in a header. */
export function check(
  headers: IncomingHttpHeaders,
  policies: ReadonlyMap<string, CallPolicy>,
  metadata_bytes: number,
): CallPolicy | Refusal {
  if (!CONTENT_TYPE.test(headers["content-type"] ?? "")) {
    return { http: constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE };
  }
  if (headers[":method"] !== "POST") {
    return { http: constants.HTTP_STATUS_METHOD_NOT_ALLOWED };
  }
  const policy = policies.get(headers[":path"] ?? "");
  if (policy === undefined) {
    return {
      grpc: status.UNIMPLEMENTED,
      message: "there is no such method here; `list` and `describe` show what is",
    };
  }
  const encoding = headers["grpc-encoding"] ?? "identity";
  if (encoding !== "identity" && !(encoding === "gzip" && policy.gzip)) {
    return {
      grpc: status.UNIMPLEMENTED,
      message: `the encodings taken are ${policy.gzip ? ACCEPTED_ENCODINGS : "identity"}`,
    };
  }
  if (headers["grpc-timeout"] !== undefined && !TIMEOUT.test(String(headers["grpc-timeout"]))) {
    return {
      grpc: status.INVALID_ARGUMENT,
      message: "grpc-timeout is not 1 to 8 digits and one of H M S m u n",
    };
  }
  let bytes = 0;
  for (const name in headers) {
    const value = String(headers[name]);
    bytes += name.length + value.length + HEADER_OVERHEAD;
    // grpc-js would write it, name and value, secrets and all, to the console.
    if (!PRINTABLE.test(value) && !name.startsWith(":")) {
      return { grpc: status.INVALID_ARGUMENT, message: "metadata must be printable ASCII, or end in -bin" };
    }
  }
  // HTTP/2 holds a client to its limit only when the client has acknowledged it.
  if (bytes > metadata_bytes) {
    return { grpc: status.RESOURCE_EXHAUSTED, message: `the metadata has more than ${metadata_bytes} bytes` };
  }
  return policy;
}

/** Takes from the headers what grpc-js would trip over. */
export function normalise(headers: IncomingHttpHeaders): void {
  // Hidden, so that grpc-js does not inflate: see inflate.ts.
  delete headers["grpc-encoding"];
  const [, digits, unit] = TIMEOUT.exec(String(headers["grpc-timeout"])) ?? [];
  // It would count in 32 bits and call the deadline over at once. Months are no deadline anyway.
  if (digits !== undefined && Number(digits) * (UNIT_MS.get(unit ?? "") ?? 0) > LONGEST_TIMEOUT_MS) {
    delete headers["grpc-timeout"];
  }
}

export function isRefusal(answer: CallPolicy | Refusal): answer is Refusal {
  return "http" in answer || "grpc" in answer;
}
