// Answering a client that is still sending. A server that answers and closes while data comes in loses its answer:
// the client's kernel takes the reset as leave to drop what it had received. So the answer goes out whole, and the
// connection is read for a little longer before it is closed.

import type { Readable, Writable } from "node:stream";
import { type EdgeRequest, type EdgeResponse, isArriving, isAwaitingContinue, isHttp1 } from "./exchange.ts";
import { LISTENER_LIMITS } from "./limits.ts";

/** Sends a whole answer. `headers` have its Content-Length. */
export function endThenLinger(
  req: EdgeRequest,
  res: EdgeResponse,
  status: number,
  headers: string[],
  body: Uint8Array,
): void {
  const arriving = isArriving(req);
  const sink: Writable = res;
  if (!isHttp1(res)) {
    res.writeHead(status, pairs(headers));
    sink.end(body);
    if (arriving) res.stream.once("finish", () => res.stream.close());
    return;
  }
  if (!arriving || isAwaitingContinue(req, res)) {
    res.writeHead(status, headers);
    sink.end(body);
    return;
  }
  res.shouldKeepAlive = false;
  res.writeHead(status, headers);
  // Complete by its length, though the exchange is not yet ended: ending it would close the connection.
  sink.write(body);
  res.flushHeaders();
  void drain(req).then(() => sink.end());
}

/** For an answer that has ended before its request: lets the rest of the request come, within bounds, so that the
 * connection can go on, or the client at least has seen the answer when it is closed. */
export function lingerAfterEnd(req: EdgeRequest, res: EdgeResponse): void {
  if (!isArriving(req)) return;
  if (!isHttp1(res)) {
    res.stream.once("finish", () => res.stream.close());
    return;
  }
  void drain(req).then(() => {
    if (isArriving(req)) req.destroy();
  });
}

/** Reads and drops what still comes of a request. Resolves at its end, or when enough has been read. */
export function drain(req: Readable): Promise<void> {
  return new Promise((resolve) => {
    let left: number = LISTENER_LIMITS.linger_bytes;
    const onData = (chunk: Uint8Array): void => {
      left -= chunk.length;
      if (left < 0) over();
    };
    const over = (): void => {
      clearTimeout(timer);
      req.off("data", onData).off("end", over).off("close", over).off("error", over);
      resolve();
    };
    const timer = setTimeout(over, LISTENER_LIMITS.linger_ms);
    req.on("data", onData).on("end", over).on("close", over).on("error", over);
    req.resume();
  });
}

/** Flat lines as an object with lists, as HTTP/2 takes them. */
export function pairs(lines: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase();
    const value = lines[i + 1]!;
    const before = object[name];
    object[name] =
      before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return object;
}
