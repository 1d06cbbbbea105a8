// What calls are told before there is anything to serve.

import type { DescService } from "@bufbuild/protobuf";
import type { sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import { UsherError } from "@usher/replica";
import type { Call } from "./context.ts";
import { statusOf } from "./errors.ts";

/** Handlers that end every call as UNAVAILABLE, with the reason at that time. */
export function startingHandlers(service: DescService, why: () => string): UntypedServiceImplementation {
  const status = () =>
    statusOf(new UsherError("NOT_READY", `This node is starting: ${why()}.`), new Headers(), () => {});
  return Object.fromEntries(
    service.methods.map(({ name, methodKind }) => [
      name,
      methodKind === "server_streaming"
        ? // grpc-js takes the status of a stream from an "error" event.
          (call: Call) => void call.emit("error", status())
        : (_call: Call, respond: sendUnaryData<Buffer>) => respond(status()),
    ]),
  );
}
