// What stands between clients and a gateway in the wild: an HTTP proxy that does what is asked of it.

import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { onTestFinished } from "vitest";

/** - `pass`: as it should be.
 * - `buffer`: an answer is passed on when it is whole.
 * - `cut`: a stream is cut after its first piece, as a time-out would.
 * - `lose`: what is asked reaches the gateway, and the answer nobody.
 * - `page`: answers everything itself, with an error page.
 * - `hang`: takes the request, passes nothing on, and never answers.
 * - `hush`: an answer begins, and nothing of it comes.
 * - `drip`: an answer comes byte by byte, so slowly that nobody sees its end. */
export type Manner = "pass" | "buffer" | "cut" | "lose" | "page" | "hang" | "hush" | "drip";

export interface Proxy {
  readonly url: string;
  /** By path; the last one that fits counts. */
  manner: (path: string, accept: string) => Manner;
  /** The paths that were asked for, and what was accepted, in order. */
  readonly asked: { readonly path: string; readonly accept: string }[];
  /** Passes on to another from now on. */
  leadTo(url: string): void;
  /** Closes every connection there is, in the midst of whatever. */
  cutAll(): void;
}

/** A proxy before a gateway, for the time of a test. */
export async function openProxy(gatewayUrl: string): Promise<Proxy> {
  let upstream = new URL(gatewayUrl);
  const server = createServer((req, res) => {
    const path = req.url ?? "";
    const accept = `${req.headers.accept ?? ""}`;
    proxy.asked.push({ path, accept });
    const manner = proxy.manner(path, accept);
    if (manner === "page") {
      req.resume();
      res.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
    } else if (manner === "hang") {
      req.resume();
    } else {
      forward(upstream, req, res, manner);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    manner: () => "pass",
    asked: [],
    leadTo: (url) => {
      upstream = new URL(url);
    },
    cutAll: () => server.closeAllConnections(),
  };
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return proxy;
}

function forward({ hostname, port }: URL, req: IncomingMessage, res: ServerResponse, manner: Manner): void {
  const { method, url, headers } = req;
  const out = request({ hostname, port, method, path: url, headers }, (answer) => {
    const pieces: Buffer[] = [];
    const begin = (): void => void res.writeHead(answer.statusCode ?? 502, answer.headers);
    if (manner === "hush" || manner === "drip") {
      begin();
      res.flushHeaders();
      answer.on("data", (piece: Buffer) => manner === "drip" && trickle(piece, res));
      answer.on("error", () => res.destroy());
      return;
    }
    answer.on("data", (piece: Buffer) => {
      pieces.push(piece);
      if (manner === "cut" && isStream(answer) && !res.headersSent) {
        begin();
        res.write(piece, () => res.destroy());
        answer.destroy();
      }
    });
    answer.on("end", () => {
      if (res.destroyed || res.headersSent) return;
      if (manner === "lose") res.destroy();
      else {
        begin();
        res.end(Buffer.concat(pieces));
      }
    });
    answer.on("error", () => res.destroy());
    if (manner !== "pass" && (manner !== "cut" || isStream(answer))) return;
    answer.removeAllListeners("data").removeAllListeners("end");
    begin();
    answer.pipe(res);
  });
  out.on("error", () => res.destroy());
  res.on("close", () => out.destroy());
  req.pipe(out);
}

/** Between two bytes, in milliseconds: a message of a few hundred takes minutes. */
const DRIP_MS = 1_000;

/** Writes byte by byte, until nobody is there any more. */
export function trickle(bytes: Buffer, to: Writable): void {
  let at = 0;
  const drip = setInterval(() => to.write(bytes.subarray(at, ++at)), DRIP_MS);
  to.write(bytes.subarray(at, ++at));
  to.once("close", () => clearInterval(drip));
}

function isStream({ headers }: IncomingMessage): boolean {
  return /connect\+json|event-stream/.test(headers["content-type"] ?? "");
}
