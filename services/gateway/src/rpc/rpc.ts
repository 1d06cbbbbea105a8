// The RPCs on the gateway's port: Connect, gRPC-Web and gRPC, by connect-node (Envoy's questions among them), and the plainest of them by a lane of
// their own.
//
//   unary.ts        that lane                          context.ts   what its methods are told of their call
//   refusal.ts      what is turned away before a method hears of it      answer.ts    how that is told

import type { Socket } from "node:net";
import { connectNodeAdapter, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { Authorization } from "@usher/protocol/ext-authz";
import { QueueService } from "@usher/protocol/queue";
import { type Access, createAdminService, createQueueService, type Replica } from "@usher/replica";
import type { Check } from "../check/check.ts";
import { callOf, createAuthorization } from "../check/envoy.ts";
import { BodyReader } from "../listener/body.ts";
import {
  authorityOf,
  type EdgeRequest,
  type EdgeResponse,
  isArriving,
  isHttp1,
  letBodyCome,
} from "../listener/exchange.ts";
import { LISTENER_LIMITS } from "../listener/limits.ts";
import { lingerAfterEnd } from "../listener/linger.ts";
import { answerProblem, type Problem, problem } from "../listener/problem.ts";
import { callUnderWay, isRpc, observeCall } from "../observe/rpc.ts";
import { explaining, explainingStreams, RPC_CALL, refusalOf } from "./answer.ts";
import { notServed } from "./refusal.ts";
import { UnaryLanes } from "./unary.ts";

/** Bytes of one message; 64 KiB. connect-node's own default is 4 GiB, and a declared length is allocated. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** The longest that a client may have a call run, in ms; an hour. Streams are opened anew after it. */
const TIMEOUT_MAX_MS = 60 * 60_000;

/** HTTP/2's error code for a call that is given up. */
const CANCEL = 0x8;

/** By default, connect-node puts other letters in the place of bytes that are no UTF-8, and two names become one. */
const JSON_OPTIONS = {
  ignoreUnknownFields: true,
  textDecoder: new TextDecoder("utf-8", { fatal: true }),
};

export interface RpcHandler {
  /** Whether a path is one of the RPCs'. */
  owns(path: string): boolean;
  handle(req: EdgeRequest, res: EdgeResponse): void;
}

export interface RpcOptions {
  /** Among how many nodes each limit is divided. */
  readonly nodes: number;
  /** What Envoy asks. */
  readonly check: Check;
  readonly public_url: string | undefined;
}

export function createRpc(
  replica: Replica,
  access: Access,
  { nodes, check, public_url }: RpcOptions,
): RpcHandler {
  const queueService = createQueueService(replica, access);
  const lanes = new UnaryLanes(
    queueService,
    new BodyReader({ body_bytes: MESSAGE_BYTES_MAX }),
    MESSAGE_BYTES_MAX,
  );
  const adapter = connectNodeAdapter({
    routes: (router) => {
      router
        .service(QueueService, queueService)
        .service(AdminService, createAdminService(replica, access, { nodes }))
        .service(Authorization, createAuthorization(check, { replica, public_url }));
      router.handlers.splice(
        0,
        Number.POSITIVE_INFINITY,
        ...router.handlers.map((handler) => explaining(handler, MESSAGE_BYTES_MAX)),
      );
    },
    interceptors: [explainingStreams(MESSAGE_BYTES_MAX)],
    contextValues: (req) => callOf(req).set(RPC_CALL, callUnderWay(req)),
    fallback: answerNowhere,
    readMaxBytes: MESSAGE_BYTES_MAX,
    maxTimeoutMs: TIMEOUT_MAX_MS,
    jsonOptions: JSON_OPTIONS,
  });
  return {
    owns: isRpc,
    handle(req, res) {
      const wrong = checkAuthority(req);
      if (wrong !== undefined) return answerProblem(req, res, wrong);
      if (lanes.take(req, res)) return;
      observeCall(req, (req.url ?? "").split("?", 1)[0] ?? "");
      letBodyCome(req, res);
      boundRequest(req, res);
      // Of a stream, proxies that know the word pass on each message as it comes.
      res.setHeader("x-accel-buffering", "no");
      adapter(req, res);
    },
  };
}

/** There is no such method, and nobody repeats what it was called. */
function answerNowhere(req: EdgeRequest, res: Parameters<typeof universalResponseToNodeResponse>[1]): void {
  const error = notServed("there is no such method here");
  const call = callUnderWay(req);
  if (call !== undefined) call.code = error.code;
  // Whoever is not there any more is told nothing.
  universalResponseToNodeResponse(refusalOf(req.headers["content-type"] ?? "", 404, error), res).catch(
    () => {},
  );
}

/** connect-node makes a URL of it, and throws where that cannot be. */
function checkAuthority(req: EdgeRequest): Problem | undefined {
  const authority = authorityOf(req);
  if (authority === undefined) return problem("host_missing", "a call names its host, in HTTP/1.0 too");
  if (URL.canParse(`http://${authority}`)) return undefined;
  return problem("host_invalid", "the host is an address that cannot be");
}

/** A call is over with its answer, whatever its client goes on to send; and one that does not come whole in time is
 * not waited for. (In HTTP/1.1, Node keeps that time itself.) */
function boundRequest(req: EdgeRequest, res: EdgeResponse): void {
  if (isHttp1(res)) {
    // Gone from the request when that is destroyed.
    const { socket } = req;
    res.once("finish", () => {
      if (!req.destroyed) lingerAfterEnd(req, res);
      else if (isArriving(req)) closeSoon(socket);
    });
    return;
  }
  const { stream } = res;
  let timer = setTimeout(() => isArriving(req) && stream.close(CANCEL), LISTENER_LIMITS.request_ms);
  stream.once("finish", () => {
    clearTimeout(timer);
    // Destroyed, for Node waits with closing until somebody has read the rest.
    timer = setTimeout(() => stream.destroy(), LISTENER_LIMITS.linger_ms);
  });
  stream.once("close", () => clearTimeout(timer));
}

/** Closes the connection of a request that connect-node has let go of midway, as one that was too large: the rest of
 * it stands in the way of any other. Its client has a moment to see the answer. */
function closeSoon(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LISTENER_LIMITS.linger_ms);
  socket.once("close", () => clearTimeout(timer));
}
