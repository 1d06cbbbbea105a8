// What of the suite's messages (connectrpc/conformance/v1) a server reads and writes. Their descriptors come with the
// suite, at run time.

import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import { type Any, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Code } from "@connectrpc/connect";

const PACKAGE = "connectrpc.conformance.v1";

export type ServerRequest = Message & {
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
};

export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

export interface Failure {
  readonly code: Code;
  readonly message?: string;
  readonly details: readonly Any[];
}

interface Definition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
}

/** What a call is to be answered with, by one message. */
export interface Single extends Definition {
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: Failure }
    | { readonly case: undefined; readonly value?: undefined };
}

/** The same, by a stream. */
export interface Several extends Definition {
  readonly responseData: readonly Uint8Array[];
  readonly error?: Failure;
}

export type SingleRequest = Message & { readonly responseDefinition?: Single };
export type StreamRequest = Message & {
  readonly responseDefinition?: Several;
  readonly fullDuplex?: boolean;
};

interface Method<Kind, Request extends Message> {
  methodKind: Kind;
  input: GenMessage<Request>;
  output: GenMessage<Message>;
}

/** Without `unimplemented`, which is to be. */
export type Conformance = GenService<{
  unary: Method<"unary", SingleRequest>;
  idempotentUnary: Method<"unary", SingleRequest>;
  clientStream: Method<"client_streaming", SingleRequest>;
  serverStream: Method<"server_streaming", StreamRequest>;
  bidiStream: Method<"bidi_streaming", StreamRequest>;
}>;

export class Words {
  readonly types: Registry;
  readonly service: Conformance;
  readonly serverRequest: DescMessage;
  readonly serverResponse: DescMessage;
  readonly payload: DescMessage;
  readonly requestInfo: DescMessage;

  /** `descriptors`: the path of the suite's descriptor set. */
  constructor(descriptors: string) {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
    const message = (name: string): DescMessage => {
      const found = registry.getMessage(`${PACKAGE}.${name}`);
      if (found === undefined) throw new Error(`${descriptors} has no message ${name}`);
      return found;
    };
    const service = registry.getService(`${PACKAGE}.ConformanceService`);
    if (service === undefined) throw new Error(`${descriptors} has no ConformanceService`);
    this.types = registry;
    this.service = service as Conformance;
    this.serverRequest = message("ServerCompatRequest");
    this.serverResponse = message("ServerCompatResponse");
    this.payload = message("ConformancePayload");
    this.requestInfo = message("ConformancePayload.RequestInfo");
  }
}
