// What Usher's Issue is compared with: servers that do nothing but answer, in a process of their own.
//
//   node test/bench/issue/peers.ts http|grpc      prints the port

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import {
  type IssueRequest,
  IssueRequestSchema,
  type IssueResponse,
  IssueResponseSchema,
} from "@usher/protocol/queue";

/** Reads the JSON, and writes one of the size of an answer. */
function serveHttp(): void {
  const server = createServer((req, res) => {
    let text = "";
    req.setEncoding("utf8");
    req.on("data", (chunk: string) => {
      text += chunk;
    });
    req.on("end", () => {
      const { queue } = JSON.parse(text) as { queue: string };
      const ticket = { id: `${queue}:0123456789abcdef:1`, queue, number: 1, position: 1 };
      const body = JSON.stringify({ status: { ticket, asOf: "1" }, token: "A".repeat(64) });
      res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
      res.end(body);
    });
  });
  server.listen(0, "127.0.0.1", () => tell((server.address() as AddressInfo).port));
}

/** Decodes the request, and encodes an answer. */
function serveGrpc(): void {
  const server = new Server();
  const issue = {
    path: "/usher.queue.v1.QueueService/Issue",
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (message: IssueRequest) => Buffer.from(toBinary(IssueRequestSchema, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(IssueRequestSchema, bytes),
    responseSerialize: (message: IssueResponse) => Buffer.from(toBinary(IssueResponseSchema, message)),
    responseDeserialize: (bytes: Buffer) => fromBinary(IssueResponseSchema, bytes),
  };
  const answer = (
    { request: { queue } }: ServerUnaryCall<IssueRequest, IssueResponse>,
    callback: sendUnaryData<IssueResponse>,
  ) => {
    const ticket = { id: `${queue}:0123456789abcdef:1`, queue, number: 1, position: 1 };
    callback(null, create(IssueResponseSchema, { status: { ticket, asOf: 1n }, token: "A".repeat(64) }));
  };
  server.addService({ issue }, { issue: answer });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    tell(port);
  });
}

function tell(port: number): void {
  process.stdout.write(`port ${port}\n`);
}

if (process.argv[2] === "grpc") serveGrpc();
else serveHttp();
