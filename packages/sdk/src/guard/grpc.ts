// The guard for services on grpc-js. An entry of its own, because it brings grpc-js along.

import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { StatusSchema } from "@usher/protocol/status";
import type { Guard } from "../guard.ts";
import type { HeaderOf } from "./presented.ts";
import type { Refusal } from "./refusal.ts";
import { rpcErrorOf } from "./rpc.ts";

export interface GrpcGuardOptions {
  /** Which calls need a pass, by their path, `/package.Service/Method`; all but those of `grpc.health.v1.Health` and of
   * `grpc.reflection`, which whoever runs the service calls, and who has no pass. */
  readonly guards?: (path: string) => boolean;
}

/** Lets only calls with a pass in the metadata `usher-pass` through; others end with PERMISSION_DENIED, or with UNAVAILABLE
 * while there are no keys. In a handler, `guard.passOf(call.metadata)` is the pass.
 *
 * ```ts
 * const server = new Server({ interceptors: [grpcInterceptor(guard)] });
 * ``` */
export function grpcInterceptor(
  guard: Guard,
  { guards = isService }: GrpcGuardOptions = {},
): ServerInterceptor {
  return ({ path }, call) => {
    if (!guards(path)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          // What comes after the metadata waits until `goOn` is called, and is dropped where it never is.
          onReceiveMetadata: (metadata, goOn) => {
            void guard.check(headerOf(metadata), metadata).then((refusal) => {
              if (refusal === undefined) goOn(metadata);
              else call.sendStatus(statusOf(refusal));
            });
          },
        }),
    });
  };
}

function isService(path: string): boolean {
  return !/^\/grpc\.(?:health|reflection)\./.test(path);
}

function headerOf(metadata: Metadata): HeaderOf {
  return (name) => metadata.get(name).map((value) => (typeof value === "string" ? value : ""));
}

function statusOf(refusal: Refusal): { code: number; details: string; metadata: Metadata } {
  const { code, message, details } = rpcErrorOf(refusal);
  const status = create(StatusSchema, {
    code,
    message,
    details: details.map(({ type, value }) =>
      create(AnySchema, { typeUrl: `type.googleapis.com/${type}`, value }),
    ),
  });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  return { code, details: message, metadata };
}
