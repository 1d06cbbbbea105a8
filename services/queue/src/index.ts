// The native gRPC listener: what gRPC's own clients and tools speak to, on a port of its own, with reflection and health.
// It is given services (a description by protobuf-es, an implementation in connect's terms) and knows nothing of what
// they do.
//
//   limits.ts         what clients may take, with units and reasons
//   listener.ts       startNativeListener: puts the rest together, opens, closes
//   sockets.ts        listens, counts connections, explains a port in use
//   grpc-server.ts    the grpc-js server, with HTTP/2 limits that it has no options for
//   session-guard.ts  looks after connections: handshake, floods
//   stream-guard.ts   looks after calls: well-formed, in time      (request-check.ts: the rules; allowance.ts: a bucket)
//   handlers.ts       service + implementation -> grpc-js           (context.ts, inflate.ts, metadata.ts, errors.ts)
//   stream-writer.ts  one answer at a time
//   starting.ts       what calls are told before there is anything to serve
//   observed.ts       what whoever watches is told of calls
//   health.ts, reflection.ts

export type { OnError } from "./errors.ts";
export { type NativeService, nativeService } from "./handlers.ts";
export { LIMITS, type Limits } from "./limits.ts";
export { type NativeListener, type NativeListenerOptions, startNativeListener } from "./listener.ts";
export type { ObserveCall, ObservedCall } from "./observed.ts";
export { ListenError } from "./sockets.ts";
