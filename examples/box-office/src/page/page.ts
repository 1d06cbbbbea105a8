// The demo's page at the shop's address, beside what the shop itself answers:
//
//   main.ts     the program: the shop and its page
//   page.ts     this: what is answered to whom
//   crowds.ts   the crowds that it sends, and figures.ts: what is told of them
//   exit.ts     the way out of backstage
//   files.ts    the files that it is made of
//   browser/    what runs in the browser; its map is in browser/main.ts

import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "../shop/body.ts";
import type { Crowds } from "./crowds.ts";
import type { Exit } from "./exit.ts";
import { Files, type Served } from "./files.ts";

export interface PageParts {
  /** Where the gateways of Usher's nodes are, as `http://host:port`. */
  readonly gateways: readonly string[];
  readonly crowds: Crowds;
  readonly exit: Exit;
}

export class Page {
  readonly #parts: PageParts;
  readonly #files = new Files();

  constructor(parts: PageParts) {
    this.#parts = parts;
  }

  /** Answers what is the page's; false for anything else. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { method = "" } = request;
    const [path = "", query] = (request.url ?? "").split("?", 2);
    if (path !== "/" && !path.startsWith("/page/") && !path.startsWith("/sdk/")) return false;
    if (method === "GET" || method === "HEAD") this.#show(path, new URLSearchParams(query), response);
    else if (method !== "POST") json(response, 405, { error: `${method} does not work here` });
    // Pages of others may not send crowds.
    else if ((request.headers["sec-fetch-site"] ?? "same-origin") !== "same-origin")
      json(response, 403, { error: "this is for the demo's own page" });
    else void this.#act(path, request, response);
    return true;
  }

  #show(path: string, query: URLSearchParams, response: ServerResponse): void {
    const { gateways, crowds } = this.#parts;
    const served = path === "/" ? this.#files.page(gateways, crowds.buyers) : this.#files.at(path);
    if (path === "/page/figures") json(response, 200, crowds.figures(Number(query.get("from")) || 0));
    else if (served === undefined) json(response, 404, { error: "there is no such thing here" });
    else send(response, 200, served, { "content-security-policy": policy(gateways) });
  }

  async #act(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { crowds, exit } = this.#parts;
    if (path === "/page/crowds") {
      const isSent = crowds.send();
      json(response, isSent ? 202 : 409, crowds.figures());
    } else if (path === "/page/exit") {
      const body = await readBody(request);
      const said = "text" in body ? await exit.leave(body.text) : { status: 400, error: "say your pass" };
      json(response, said.status, said);
    } else json(response, 404, { error: "there is no such thing here" });
  }
}

/** Its own scripts and styles, and nothing else; and calls to the gateways. */
function policy(gateways: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `connect-src 'self' ${gateways.join(" ")}`,
    "img-src data:",
    ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ].join("; ");
}

function json(response: ServerResponse, status: number, body: object): void {
  send(response, status, { type: "application/json", body: `${JSON.stringify(body)}\n` });
}

function send(
  response: ServerResponse,
  status: number,
  { type, body }: Served,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    ...headers,
  });
  response.end(body);
}
