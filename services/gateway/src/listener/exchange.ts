// A request and its response, of HTTP/1.1 or of HTTP/2 alike.

import { IncomingMessage, ServerResponse } from "node:http";
import { Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Target } from "./target.ts";

export type EdgeRequest = IncomingMessage | Http2ServerRequest;
export type EdgeResponse = ServerResponse | Http2ServerResponse;

/** Answers a request that has passed the door. What it throws, or rejects with, becomes a 500. */
export type Handler = (req: EdgeRequest, res: EdgeResponse, target: Target) => void | Promise<void>;

/** Header lines, flat: name, value, name, value, as in `rawHeaders`. Values are bytes, one char each (latin1). */
export type Lines = readonly string[];

export function isHttp1(res: EdgeResponse): res is ServerResponse {
  return res instanceof ServerResponse;
}

/** Whether a body comes, or has come, with the request; it may turn out to be empty. */
export function hasBody(req: EdgeRequest): boolean {
  if (req instanceof Http2ServerRequest) return !req.stream.endAfterHeaders;
  const { "content-length": length, "transfer-encoding": coding } = req.headers;
  return coding !== undefined || (length !== undefined && length !== "0");
}

/** Whether the client has more of its request to send. */
export function isArriving(req: EdgeRequest): boolean {
  return (
    hasBody(req) && !(req instanceof IncomingMessage ? req.complete : req.readableEnded || req.stream.closed)
  );
}

/** Whether the exchange is over, so that nobody is there to be answered. */
export function isGone(res: EdgeResponse): boolean {
  return isHttp1(res) ? res.destroyed || res.closed : res.stream.destroyed || res.stream.closed;
}

/** Aborts when the client has gone before it was answered. */
export function goneSignal(res: EdgeResponse): AbortSignal {
  const gone = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) gone.abort();
  });
  // A stream that its client resets without calling that an error closes only when its request has been read.
  if (!isHttp1(res)) res.stream.once("aborted", () => gone.abort());
  return gone.signal;
}

/** At the end of a request's body: whether it ended, or only its client. HTTP/2 has the one look like the other. */
export function hasArrived(req: EdgeRequest): boolean {
  return req instanceof IncomingMessage ? req.complete : !req.stream.aborted;
}

const told = new WeakSet<EdgeResponse>();

/** Whether the client holds its body back until it is told to go on. */
export function isAwaitingContinue(req: EdgeRequest, res: EdgeResponse): boolean {
  return req.httpVersion !== "1.0" && isContinue(req.headers.expect) && !told.has(res) && !res.headersSent;
}

/** Tells a client that waits for it (`Expect: 100-continue`) to send its body. To be called when the body is about
 * to be read, so that a client whose request is refused need not send it. */
export function letBodyCome(req: EdgeRequest, res: EdgeResponse): void {
  if (!isAwaitingContinue(req, res)) return;
  told.add(res);
  res.writeContinue();
}

export function isContinue(expect: string | undefined): boolean {
  return expect !== undefined && expect.toLowerCase() === "100-continue";
}

/** The value of the only line of that name; undefined without one. */
export function lineOf(lines: Lines, name: string): string | undefined {
  for (let i = 0; i < lines.length; i += 2) if (lines[i]?.toLowerCase() === name) return lines[i + 1];
  return undefined;
}

/** Host and port that the client asked for; undefined in HTTP/1.0 without a Host. */
export function authorityOf(req: EdgeRequest): string | undefined {
  return lineOf(req.rawHeaders, ":authority") ?? lineOf(req.rawHeaders, "host");
}

/** The client's address, without the prefix of an IPv4 address that came over IPv6; undefined when it has gone. */
export function addressOf(req: EdgeRequest): string | undefined {
  const socket = req instanceof Http2ServerRequest ? req.stream.session?.socket : req.socket;
  return socket?.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "");
}

/** Whether the connection itself is under TLS. */
export function isEncrypted(req: EdgeRequest): boolean {
  if (req instanceof Http2ServerRequest) return req.stream.session?.encrypted === true;
  return req.socket instanceof TLSSocket;
}

const cuts = new WeakSet<EdgeResponse>();

/** Whether the answer was broken off here, and not by its client. */
export function wasCut(res: EdgeResponse): boolean {
  return cuts.has(res);
}

/** Ends an exchange in a way that cannot be taken for the end of the answer. */
export function cut(res: EdgeResponse): void {
  cuts.add(res);
  if (isHttp1(res)) {
    // A reset, not an orderly end: by an orderly end an answer without a length would look whole.
    // (Under TLS there is no reset, and no need of one: an end that TLS was not told of is none.)
    // Behind another answer on its connection, which is to come whole: nothing of this one is sent then.
    if (res.socket === null) res.once("socket", (socket: Socket) => socket.destroySoon());
    else if (res.socket instanceof TLSSocket) res.socket.destroy();
    else res.socket.resetAndDestroy();
  } else if (!res.stream.destroyed) {
    res.stream.close(INTERNAL_ERROR);
  }
}

/** HTTP/2's error code for it. */
const INTERNAL_ERROR = 0x2;
