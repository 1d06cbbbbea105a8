// The port on which metrics are asked for. The exporter's own server takes no port 0, and has no bounds.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const METRICS_PATH = "/metrics";

/** Connections at once; 16. A scraper keeps one. */
const CONNECTIONS_MAX = 16;

/** How long a request may take to come, in ms; 10 seconds. It has no body. */
const REQUEST_MS = 10_000;

/** The port cannot be had. */
export class EndpointError extends Error {
  override readonly name = "EndpointError";
}

export interface EndpointOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
}

export class Endpoint {
  readonly url: string;
  readonly port: number;
  readonly #server: Server;

  static async open({ host, port, answer }: EndpointOptions): Promise<Endpoint> {
    const server = createServer(
      { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: REQUEST_MS / 2 },
      (request, response) => {
        const path = request.url?.split("?")[0];
        if (path !== METRICS_PATH) refuse(response, 404, `metrics are at ${METRICS_PATH}`);
        else if (request.method !== "GET")
          refuse(response, 405, "metrics are for GET alone", { Allow: "GET" });
        else answer(request, response);
      },
    );
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        const why = cause.code === "EADDRINUSE" ? "it is in use" : cause.message;
        reject(new EndpointError(`cannot listen on ${host} port ${port} for metrics: ${why}`, { cause }));
      });
      server.listen({ host, port }, resolve);
    });
    // What goes wrong from here on concerns one scraper, who asks again.
    server.on("error", () => {});
    return new Endpoint(server, host);
  }

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://${host.includes(":") ? `[${host}]` : host}:${this.port}${METRICS_PATH}`;
  }

  /** Takes no more, and does not wait for scrapers. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

function refuse(response: ServerResponse, status: number, words: string, headers = {}): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", ...headers });
  response.end(`${words}\n`);
}
