// What an error of a gRPC call says: its status, and the reason in the details that come with it as a
// `google.rpc.Status`.

import { fromBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Metadata, status } from "@grpc/grpc-js";
import { type ErrorInfo, ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { StatusSchema } from "@usher/protocol/status";
import { codeOf, type ErrorCode, UsherError } from "../../errors.ts";

/** Where no reason is told: grpc-js itself has found it, or whatever is in between. */
const BY_STATUS: Readonly<Partial<Record<status, ErrorCode>>> = {
  [status.CANCELLED]: "canceled",
  [status.DEADLINE_EXCEEDED]: "deadline_exceeded",
  [status.UNAVAILABLE]: "unreachable",
  [status.UNIMPLEMENTED]: "not_implemented",
  [status.INVALID_ARGUMENT]: "invalid_field",
  [status.UNAUTHENTICATED]: "api_key_required",
  [status.RESOURCE_EXHAUSTED]: "overloaded",
  // What does not speak gRPC at all, and what stops in its midst.
  [status.INTERNAL]: "unexpected_answer",
  [status.UNKNOWN]: "unexpected_answer",
};

interface ServiceError {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

/** The error that ended a call. */
export function refusalOf(error: unknown): UsherError {
  if (!isServiceError(error)) return UsherError.from(error);
  const { info, retry_ms, told = error.details } = explained(error.metadata);
  const reason = codeOf(info?.reason);
  const code = reason ?? BY_STATUS[error.code] ?? "unexpected_answer";
  const named = info?.reason === undefined ? told : `${info.reason}: ${told}`;
  const message = reason === undefined ? `${status[error.code]}: ${named}` : told;
  // By the other side, or something in between: what the caller gives up itself is told where it is given up.
  const kind = code === "canceled" ? { retryable: true } : {};
  return new UsherError(code, message, { cause: error, retryAfter: retry_ms, kind });
}

function isServiceError(error: unknown): error is Error & ServiceError {
  return error instanceof Error && "code" in error && "details" in error && typeof error.code === "number";
}

function explained(metadata: Metadata | undefined): {
  readonly info?: ErrorInfo | undefined;
  readonly retry_ms?: number | undefined;
  /** In the server's words as they are: of those in `grpc-message`, grpc-js leaves half percent-encoded. */
  readonly told?: string | undefined;
} {
  const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
  if (!(bytes instanceof Uint8Array)) return {};
  try {
    const { details, message } = fromBinary(StatusSchema, bytes);
    const info = details.find(({ typeUrl }) => typeUrl.endsWith(`/${ErrorInfoSchema.typeName}`));
    const retry = details.find(({ typeUrl }) => typeUrl.endsWith(`/${RetryInfoSchema.typeName}`));
    const delay = retry && fromBinary(RetryInfoSchema, retry.value).retryDelay;
    return {
      info: info && fromBinary(ErrorInfoSchema, info.value),
      retry_ms: delay && durationMs(delay),
      ...(message !== "" && { told: message }),
    };
  } catch {
    // Details that cannot be read are as good as none.
    return {};
  }
}
