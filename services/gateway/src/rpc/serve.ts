// How any services are served here: by connect-node within the listener's bounds, told in Usher's words, and the plainest
// calls of one of them by a lane of their own.

import { Http2ServerRequest } from "node:http2";
import type { DescService, Registry } from "@bufbuild/protobuf";
import type { ConnectRouter, ContextValues, ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter, universalResponseToNodeResponse } from "@connectrpc/connect-node";
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
import { callUnderWay, observeCall } from "../observe/rpc.ts";
import { type Explain, explaining, explainingStreams, RPC_CALL, refusalOf } from "./answer.ts";
import { notServed } from "./refusal.ts";
import { UnaryLanes } from "./unary.ts";

/** The longest that a client may have a call run, in ms; an hour. Streams are opened anew after it. */
const TIMEOUT_MAX_MS = 60 * 60_000;

/** HTTP/2's error code for a call that is given up. */
const CANCEL = 0x8;

/** By default, connect-node puts other letters in the place of bytes that are no UTF-8, and two names become one. */
const JSON_OPTIONS = {
  ignoreUnknownFields: true,
  textDecoder: new TextDecoder("utf-8", { fatal: true }),
};

export type ServeRpc = (req: EdgeRequest, res: EdgeResponse) => void;

export interface Served<Plain extends DescService> {
  /** All services, by their implementations. */
  readonly routes: (router: ConnectRouter) => void;
  /** The one of them whose single messages have the lane. */
  readonly plain: { readonly service: Plain; readonly methods: Partial<ServiceImpl<Plain>> };
  /** What methods are called with. */
  readonly contextValues: (req: EdgeRequest) => ContextValues;
  /** Bytes of one message. connect-node's own default is 4 GiB, and a declared length is allocated. */
  readonly message_bytes: number;
  readonly explain: Explain;
  /** What an `Any` may hold in JSON; absent: nothing. Usher's own messages have none. */
  readonly types?: Registry;
}

export function serveRpc<Plain extends DescService>(served: Served<Plain>): ServeRpc {
  const { routes, contextValues, message_bytes, explain, types } = served;
  const lanes = new UnaryLanes(served);
  const adapter = connectNodeAdapter({
    routes: (router) => {
      routes(router);
      router.handlers.splice(
        0,
        Number.POSITIVE_INFINITY,
        ...router.handlers.map((handler) => explaining(handler, explain)),
      );
    },
    interceptors: [explainingStreams(explain)],
    contextValues: (req) => contextValues(req).set(RPC_CALL, callUnderWay(req)),
    fallback: (req, res) => answerNowhere(req, res, explain),
    readMaxBytes: message_bytes,
    maxTimeoutMs: TIMEOUT_MAX_MS,
    jsonOptions: { ...JSON_OPTIONS, ...(types && { registry: types }) },
  });
  return (req, res) => {
    const wrong = checkAuthority(req);
    if (wrong !== undefined) return answerProblem(req, res, wrong);
    if (lanes.take(req, res)) return;
    observeCall(req, (req.url ?? "").split("?", 1)[0] ?? "");
    letBodyCome(req, res);
    boundRequest(req, res);
    // Of a stream, proxies that know the word pass on each message as it comes.
    res.setHeader("x-accel-buffering", "no");
    adapter(req, res);
  };
}

/** There is no such method, and nobody repeats what it was called. */
function answerNowhere(
  req: EdgeRequest,
  res: Parameters<typeof universalResponseToNodeResponse>[1],
  explain: Explain,
): void {
  const error = explain(notServed("there is no such method here"));
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
    // connect-node would destroy a request that it lets go of midway, as one that is too large: what is left of it would
    // stand in the way of the next on its connection, and break that off.
    if (!(req instanceof Http2ServerRequest))
      req[Symbol.asyncIterator] = () => req.iterator({ destroyOnReturn: false });
    res.once("finish", () => {
      if (!req.destroyed) lingerAfterEnd(req, res);
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
