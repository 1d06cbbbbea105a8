// A handler of fetch's kind, served as each runtime serves it. Node has no server for such, so there it is one by hand.

import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export type Handler = (request: Request) => Response | Promise<Response>;

export interface Served extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}

/** What is used here of the other runtimes. */
interface Runtimes {
  readonly Bun?: {
    serve(options: { readonly hostname: string; readonly port: number; readonly fetch: Handler }): {
      readonly port: number;
      stop(closesConnections: boolean): Promise<void>;
    };
  };
  readonly Deno?: {
    serve(
      options: { readonly hostname: string; readonly port: number; onListen(): void },
      handler: Handler,
    ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
  };
}

const { Bun, Deno } = globalThis as Runtimes;
const ADDRESS = { hostname: "127.0.0.1", port: 0 } as const;

export async function served(handler: Handler): Promise<Served> {
  if (Bun !== undefined) {
    const server = Bun.serve({ ...ADDRESS, fetch: handler });
    return { url: urlOf(server.port), [Symbol.asyncDispose]: () => server.stop(true) };
  }
  if (Deno !== undefined) {
    const server = Deno.serve({ ...ADDRESS, onListen() {} }, handler);
    return { url: urlOf(server.addr.port), [Symbol.asyncDispose]: () => server.shutdown() };
  }
  return servedByNode(async (req, res) => {
    const headers = Object.entries(req.headers).map(([name, value]): [string, string] => [name, `${value}`]);
    const response = await handler(new Request(`http://${req.headers.host}${req.url}`, { headers }));
    res.writeHead(response.status, [...response.headers].flat());
    res.end(await response.text());
  });
}

/** A handler of node:http, which all of them have. */
export async function servedByNode(handler: RequestListener): Promise<Served> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(ADDRESS.port, ADDRESS.hostname, resolve));
  return {
    url: urlOf((server.address() as AddressInfo).port),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function urlOf(port: number): string {
  return `http://${ADDRESS.hostname}:${port}`;
}
