// Handlers: a service as protobuf-es describes it and an implementation in connect's terms, as grpc-js wants both.
//
//   bytes -> inflate -> fromBinary -> implementation(request, context) -> toBinary -> bytes
//
// Unary calls and server streams, which is all that Usher has.

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { createServiceImplSpec, type MethodImplSpec, type ServiceImpl } from "@connectrpc/connect";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type Call, CallContext } from "./context.ts";
import { malformed, type OnError, statusOf } from "./errors.ts";
import { ACCEPTED_ENCODINGS, inflate } from "./inflate.ts";
import { addHeaders } from "./metadata.ts";
import { StreamWriter } from "./stream-writer.ts";

/** A service and what answers its calls. */
export interface NativeService {
  readonly service: DescService;
  handlers(options: HandlerOptions): UntypedServiceImplementation;
}

export interface HandlerOptions {
  /** Bytes of one request, inflated. */
  readonly message_bytes: number;
  /** Milliseconds that one answer of a stream may wait for its reader. */
  readonly stall_ms: number;
  readonly onError: OnError;
  /** Takes the call's stream away from a client that does not read. */
  readonly reset: (metadata: Metadata) => void;
  /** Runs what answers the call with that metadata. */
  readonly within: (metadata: Metadata, work: () => Promise<void>) => Promise<void>;
}

/** Joins the two, so that their types are checked where they are still known. */
export function nativeService<Desc extends DescService>(
  service: Desc,
  implementation: ServiceImpl<Desc>,
): NativeService {
  const methods = Object.values(createServiceImplSpec<Desc>(service, implementation).methods);
  return {
    service,
    handlers: (options) =>
      Object.fromEntries(methods.map((spec) => [spec.method.name, handlerOf(spec, options)])),
  };
}

/** The service as grpc-js wants it described. */
export function definitionOf({ methods }: DescService): ServiceDefinition {
  return Object.fromEntries(methods.map((method) => [method.name, methodDefinition(method)]));
}

/** Bytes on both sides: what they mean is for the handler, which can answer for what is wrong with them. */
function methodDefinition(method: DescMethod): MethodDefinition<Buffer, Buffer> {
  const asTheyAre = (bytes: Buffer): Buffer => bytes;
  return {
    path: pathOf(method),
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: asTheyAre,
    requestDeserialize: asTheyAre,
    responseSerialize: asTheyAre,
    responseDeserialize: asTheyAre,
  };
}

function handlerOf(
  spec: MethodImplSpec,
  options: HandlerOptions,
): handleUnaryCall<Buffer, Buffer> | handleServerStreamingCall<Buffer, Buffer> {
  switch (spec.kind) {
    case "unary":
      return unary(spec, options);
    case "server_streaming":
      return serverStream(spec, options);
    default:
      throw new Error(
        `${spec.method.parent.typeName}.${spec.method.name} streams its requests: not served here`,
      );
  }
}

function unary(spec: Spec<"unary">, options: HandlerOptions): handleUnaryCall<Buffer, Buffer> {
  return (call, respond) =>
    options.within(call.metadata, async () => {
      const context = new CallContext(spec.method, call);
      try {
        const request = read(spec.method.input, call.request, options.message_bytes);
        const answer = write(spec.method.output, await spec.impl(request, context));
        call.sendMetadata(headersFor(context));
        respond(null, answer, trailersFor(context));
      } catch (thrown) {
        respond(refusal(thrown, context, call, options));
      }
    });
}

function serverStream(
  spec: Spec<"server_streaming">,
  options: HandlerOptions,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) =>
    options.within(call.metadata, async () => {
      const context = new CallContext(spec.method, call);
      const writer = new StreamWriter(call, options.stall_ms, () => options.reset(call.metadata));
      try {
        const request = read(spec.method.input, call.request, options.message_bytes);
        let begun = false;
        for await (const message of spec.impl(request, context)) {
          if (!begun) {
            call.sendMetadata(headersFor(context));
            begun = true;
          }
          await writer.write(write(spec.method.output, message));
          if (context.ended) {
            return;
          }
        }
        if (!begun) {
          call.sendMetadata(headersFor(context));
        }
        call.end(trailersFor(context));
      } catch (thrown) {
        // grpc-js takes the status of a stream from an "error" event.
        call.emit("error", refusal(thrown, context, call, options));
      } finally {
        writer.close();
      }
    });
}

function read<Desc extends DescMessage>(
  type: Desc,
  message: Buffer,
  limit_bytes: number,
): MessageShape<Desc> {
  const bytes = inflate(message, limit_bytes);
  try {
    // Nothing is passed on, so what newer clients know and this one does not is not kept.
    return fromBinary(type, bytes, { readUnknownFields: false });
  } catch {
    throw malformed(`the message is not a valid ${type.typeName}`);
  }
}

function write(type: DescMessage, message: Parameters<typeof create<DescMessage>>[1]): Buffer {
  const bytes = toBinary(type, create(type, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refusal(thrown: unknown, context: CallContext, call: Call, options: HandlerOptions) {
  const awaited = context.ended && isAbort(thrown);
  return statusOf(awaited ? context.signal.reason : thrown, context.responseTrailer, (error) =>
    options.onError(error, call.getPath()),
  );
}

/** What `signal.throwIfAborted()` and most that takes a signal throw, once the call has ended. */
function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AbortError";
}

function headersFor(context: CallContext): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-accept-encoding", ACCEPTED_ENCODINGS);
  addHeaders(metadata, context.responseHeader);
  return metadata;
}

function trailersFor(context: CallContext): Metadata {
  const metadata = new Metadata();
  addHeaders(metadata, context.responseTrailer);
  return metadata;
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

type Spec<Kind extends MethodImplSpec["kind"]> = Extract<MethodImplSpec, { kind: Kind }>;
