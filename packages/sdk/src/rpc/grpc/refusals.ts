// What an error of a gRPC call says: its status, and the reason in the details that come with it as a
// `google.rpc.Status`.

import { fromBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Metadata, status } from "@grpc/grpc-js";
import { type ErrorInfo, ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { StatusSchema } from "@usher/protocol/status";
import { codeOf, type ErrorCode, type ErrorKind, UsherError } from "../../errors.ts";
import { unreached } from "../obstacles.ts";

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

const PORTS =
  "A node's native port takes gRPC, 50051 by default, and so does its gateway's, 8080 by default.";

/** What grpc-js makes of bytes that are none of gRPC's: the length of a message, and far too much of it. That is found
 * here, and says nothing of what the server took. */
const NO_MESSAGE = /^Received message larger than max/;

/** What grpc-js says where there was no connection to send the call on. */
const UNSENT = /^(No connection established|Name resolution failed)/;

/** The error that ended a call. `where`: whom it went to. */
export function refusalOf(error: unknown, where: string): UsherError {
  if (!isServiceError(error)) return UsherError.from(error);
  const { info, retry_ms, told = error.details } = explained(error.metadata);
  const known = codeOf(info?.reason);
  const byStatus = NO_MESSAGE.test(told) ? "unexpected_answer" : BY_STATUS[error.code];
  const code = known ?? byStatus ?? "unexpected_answer";
  const message = known === undefined ? guessed(code, error.code, told, info?.reason, where) : told;
  // By the other side, or something in between: what the caller gives up itself is told where it is given up.
  let kind: Partial<ErrorKind> = code === "canceled" ? { retryable: true } : {};
  if (code === "unreachable" && UNSENT.test(told)) kind = { outcome: "refused" };
  // A refusal by an Usher that is newer, or by something else that knows what it says, is no mishap that passes.
  if (code === "unexpected_answer" && (byStatus === undefined || info !== undefined))
    kind = { retryable: error.code === status.ABORTED || retry_ms !== undefined };
  return new UsherError(code, message, { cause: error, retryAfter: retry_ms, kind });
}

/** What an error most likely means that has no reason which this build knows. */
function guessed(
  code: ErrorCode,
  number: status,
  told: string,
  reason: string | undefined,
  where: string,
): string {
  if (reason !== undefined) return `${where} answers ${status[number]}: ${reason}: ${told}`;
  const said = `${status[number]}: ${told}`;
  if (code === "unreachable") return unreached(where, told, PORTS);
  if (code === "not_implemented")
    return `${where} does not know this call: is it a node's address, and is the node no older than this client? (${said})`;
  if (code === "unexpected_answer")
    return `${where} does not answer as gRPC does: is it a node's address, and is there a proxy in between? (${said})`;
  return `${where} answers ${said}`;
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
