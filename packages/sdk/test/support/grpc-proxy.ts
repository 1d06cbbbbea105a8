// What stands between clients of gRPC and a node in the wild: a proxy of HTTP/2 that does what is asked of it.

import {
  connect,
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type Manner, type Proxy as OddProxy, trickle } from "./proxy.ts";

/** A proxy before a node, for the time of a test. */
export async function openGrpcProxy(nodeUrl: string): Promise<OddProxy> {
  const sessions = new Set<Http2Session>();
  const server = createServer();
  let upstream = nodeUrl;
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {}).once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const path = `${headers[":path"]}`;
    proxy.asked.push({ path, accept: "" });
    const manner = proxy.manner(path, "");
    if (manner === "page") {
      stream.respond({ ":status": 502, "content-type": "text/html" });
      stream.end("<h1>Bad gateway</h1>");
    } else if (manner !== "hang") {
      forward(upstream, stream, headers, manner);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const proxy: OddProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    manner: () => "pass",
    asked: [],
    leadTo: (url) => {
      upstream = url;
    },
    cutAll: () => {
      for (const session of sessions) session.destroy();
    },
  };
  onTestFinished(async () => {
    proxy.cutAll();
    await new Promise((closed) => server.close(closed));
  });
  return proxy;
}

/** Streams are those of which the first message is not the last. */
function forward(
  nodeUrl: string,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  manner: Exclude<Manner, "page" | "hang">,
): void {
  const session = connect(nodeUrl);
  session.on("error", () => stream.destroy());
  stream.once("close", () => session.destroy());
  const out = session.request(headers);
  out.on("error", () => stream.destroy());
  stream.pipe(out);
  let trailers: IncomingHttpHeaders = {};
  out.on("trailers", (told) => {
    trailers = told;
  });
  out.once("response", ({ ...head }, flags) => {
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const begin = (): void => stream.respond(head, isWhole ? { endStream: true } : { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    const pieces: Buffer[] = [];
    if (manner === "hush" || manner === "drip") begin();
    out.on("data", (piece: Buffer) => {
      if (manner === "drip") trickle(piece, stream);
      else if (manner === "pass" || manner === "cut") {
        if (!stream.headersSent) begin();
        stream.write(piece, () => {
          if (manner === "cut") stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        });
      } else pieces.push(piece);
    });
    out.on("end", () => {
      if (stream.destroyed || manner === "hush" || manner === "drip") return;
      if (manner === "lose") {
        stream.session?.destroy();
        return;
      }
      if (!stream.headersSent) begin();
      if (!isWhole) stream.end(Buffer.concat(pieces));
    });
  });
}
