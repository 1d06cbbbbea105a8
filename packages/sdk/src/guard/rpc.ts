// A refusal as an error of gRPC and of Connect: the status code, and the reason as a `google.rpc.ErrorInfo`.

import { create, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import type { Refusal, RefusalReason } from "./refusal.ts";

/** The reasons of `ErrorInfo` in this domain are those of the guard, in capitals: `PASS_REQUIRED`, `KEYS_UNAVAILABLE`. Those
 * of the domain `usher` are the gateway's own. */
export const ERROR_DOMAIN = "usher.guard";

/** The same numbers in gRPC and in Connect: PERMISSION_DENIED, as 403 is over HTTP, since clients take UNAUTHENTICATED for
 * a login that has to be renewed; and UNAVAILABLE, which they try again. */
const CODES: Readonly<Record<RefusalReason, 7 | 14>> = { pass_required: 7, keys_unavailable: 14 };

/** An error's details, each as its type's name and its bytes. */
export interface Detail {
  readonly type: string;
  readonly value: Uint8Array;
}

export interface RpcError {
  readonly code: 7 | 14;
  readonly message: string;
  readonly details: readonly Detail[];
}

export function rpcErrorOf({ reason, flaw, detail, queues, waitAt, retryAfter }: Refusal): RpcError {
  const info = create(ErrorInfoSchema, {
    reason: reason.toUpperCase(),
    domain: ERROR_DOMAIN,
    metadata: {
      queues: queues.join(","),
      ...(flaw !== undefined && { flaw }),
      ...(waitAt !== undefined && { wait_at: waitAt }),
    },
  });
  const details: Detail[] = [{ type: ErrorInfoSchema.typeName, value: toBinary(ErrorInfoSchema, info) }];
  if (retryAfter !== undefined) {
    const retry = create(RetryInfoSchema, { retryDelay: durationFromMs(Math.ceil(retryAfter)) });
    details.push({ type: RetryInfoSchema.typeName, value: toBinary(RetryInfoSchema, retry) });
  }
  return { code: CODES[reason], message: detail, details };
}
