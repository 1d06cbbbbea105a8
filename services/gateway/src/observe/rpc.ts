// How RPCs end, as metrics and traces see it.

import { Code } from "@connectrpc/connect";
import { type Span, trace } from "@opentelemetry/api";
import { AdminService } from "@usher/protocol/admin";
import { Authorization } from "@usher/protocol/ext-authz";
import { QueueService } from "@usher/protocol/queue";
import { countRpc, isTracing, OTHER_METHOD, type RpcProtocol, rpcNames, tellRpc } from "@usher/telemetry";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";

const SERVICES = [QueueService, AdminService, Authorization];

const METHODS = new Set(
  SERVICES.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`)),
);

const PREFIXES = SERVICES.map(({ typeName }) => `/${typeName}/`);

/** gRPC's code for what has gone well. */
const OK = 0;

/** A call that is under way. */
export class RpcCall {
  readonly method: string;
  readonly protocol: RpcProtocol;
  /** The error that its client is told; absent: none. */
  code: Code | undefined;

  constructor(method: string, protocol: RpcProtocol) {
    this.method = method;
    this.protocol = protocol;
  }
}

/** Calls whose answers are written elsewhere, and that are therefore over when their requests are. */
const calls = new WeakMap<EdgeRequest, RpcCall>();

/** Whether a path is one of the RPCs', or would be. */
export function isRpc(path: string): boolean {
  return PREFIXES.some((prefix) => path.startsWith(prefix));
}

/** The request is an RPC. What is noted there is told when its answer is written, or its client has gone. */
export function observeCall(req: EdgeRequest, path: string): void {
  calls.set(req, new RpcCall(methodOf(path), protocolOf(req)));
}

export function callUnderWay(req: EdgeRequest): RpcCall | undefined {
  return calls.get(req);
}

/** A call of the method by Connect is over, with this code; absent: it went well. */
export function observeRpcEnd(method: string, code?: Code): void {
  countRpc(method, "connect", code ?? OK);
  const span = isTracing() ? trace.getActiveSpan() : undefined;
  if (span !== undefined) tellRpc(span, code ?? OK);
}

/** The request is over; it may have been a call. */
export function endCall(req: EdgeRequest, res: EdgeResponse, span: Span | undefined): void {
  const call = calls.get(req);
  if (call === undefined) return;
  // A client that leaves before the end of a stream, and that is how most end, has cancelled it.
  const code = call.code ?? (res.writableEnded ? OK : Code.Canceled);
  countRpc(call.method, call.protocol, code);
  if (span !== undefined) tellRpc(span, code);
}

/** What the span of an RPC is called, and says from the start. */
export function namesOf(req: EdgeRequest, path: string): ReturnType<typeof rpcNames> {
  return rpcNames(methodOf(path), protocolOf(req));
}

function methodOf(path: string): string {
  const name = path.slice(1);
  return METHODS.has(name) ? name : OTHER_METHOD;
}

function protocolOf({ headers }: EdgeRequest): RpcProtocol {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("application/grpc")) return "connect";
  return type.startsWith("application/grpc-web") ? "grpc_web" : "grpc";
}
