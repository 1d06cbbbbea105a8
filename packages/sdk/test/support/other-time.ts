// A server of another time, over gRPC and over Connect, with real sockets: its words are written by the test, for there is
// no such server to be had.

import { createServer } from "node:http";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { StatusSchema } from "@usher/protocol/status";
import { onTestFinished } from "vitest";
import { listening } from "./stranger.ts";

/** One message, as it comes over either wire. */
export interface Word {
  readonly binary: Uint8Array;
  readonly json: unknown;
}

/** What is refused: with a status of gRPC, and perhaps a reason, and for how long. */
export interface Refusal {
  readonly code: "ABORTED" | "NOT_FOUND" | "FAILED_PRECONDITION" | "RESOURCE_EXHAUSTED" | "INTERNAL";
  readonly reason?: string;
  readonly retry_s?: number;
}

/** By the name of the call: what it says, one word but in streams. Calls that are not there are not known to it. */
export type Script = Readonly<Record<string, readonly Word[] | Refusal>>;

const SERVICE = "/usher.queue.v1.QueueService/";
const STREAMS = new Set(["WatchPosition", "WatchAdmissions"]);

/** A message with a field of a number that nobody has, in binary; in JSON it is as it is given. */
export function word<S extends DescMessage>(schema: S, init: MessageInitShape<S>, json: unknown): Word {
  const bytes = toBinary(schema, create(schema, init));
  return { binary: Buffer.concat([bytes, Buffer.from([0xf2, 0x3f, 3, 1, 2, 3])]), json };
}

/** Returns its address. */
export async function openGrpcServer(script: Script): Promise<string> {
  const server = new Server();
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, said] of Object.entries(script)) {
    definition[name] = {
      path: `${SERVICE}${name}`,
      requestStream: false,
      responseStream: STREAMS.has(name),
      requestDeserialize: (bytes: Buffer) => bytes,
      requestSerialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    const refusal = isRefusal(said) ? errorOf(said) : null;
    const words = isRefusal(said) ? [] : said;
    implementation[name] = STREAMS.has(name)
      ? (call: ServerWritableStream<unknown, unknown>) => {
          for (const { binary } of words) call.write(binary);
          if (refusal === null) call.end();
          else call.emit("error", refusal);
        }
      : (_: unknown, answer: sendUnaryData<unknown>) => answer(refusal, words[0]?.binary);
  }
  server.addService(definition, implementation);
  const port = await new Promise<number>((bound, failed) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? failed(error) : bound(port),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return `http://127.0.0.1:${port}`;
}

/** Returns its address. */
export async function openConnectServer(script: Script): Promise<string> {
  const server = createServer((req, res) => {
    req.resume();
    const name = req.url?.slice(SERVICE.length) ?? "";
    const said = script[name] ?? { code: "UNIMPLEMENTED" };
    const error = "code" in said ? jsonOf(said) : undefined;
    const words = "code" in said ? [] : said;
    if (!STREAMS.has(name)) {
      res.writeHead(error === undefined ? 200 : 400, { "content-type": "application/json" });
      res.end(JSON.stringify(error ?? words[0]?.json));
      return;
    }
    res.writeHead(200, { "content-type": "application/connect+json" });
    for (const { json } of words) res.write(envelope(0, json));
    res.end(envelope(2, error === undefined ? {} : { error }));
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

function isRefusal(said: readonly Word[] | Refusal): said is Refusal {
  return "code" in said;
}

function details({ reason, retry_s }: Refusal) {
  return [
    ...(reason === undefined ? [] : [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason }))]),
    ...(retry_s === undefined
      ? []
      : [
          anyPack(
            RetryInfoSchema,
            create(RetryInfoSchema, { retryDelay: { seconds: BigInt(retry_s), nanos: 0 } }),
          ),
        ]),
  ];
}

function errorOf(refusal: Refusal) {
  const metadata = new Metadata();
  const told = create(StatusSchema, {
    code: status[refusal.code],
    message: "later",
    details: details(refusal),
  });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, told)));
  return Object.assign(new Error("later"), { code: status[refusal.code], details: "later", metadata });
}

function jsonOf(refusal: Refusal | { readonly code: "UNIMPLEMENTED" }) {
  const packed = refusal.code === "UNIMPLEMENTED" ? [] : details(refusal);
  return {
    code: refusal.code.toLowerCase(),
    message: "later",
    details: packed.map(({ typeUrl, value }) => ({
      type: typeUrl.split("/").at(-1),
      value: Buffer.from(value).toString("base64"),
    })),
  };
}

function envelope(flags: number, message: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
}
