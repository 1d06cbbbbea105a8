// Services of all kinds behind a guard. Each answers with the ticket of who was let in, and with what they sent.

import { createServer, type Server as HttpServer, type RequestListener } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import type { Guard } from "../../src/guard.ts";

export interface Guarded extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
}

export async function nodeHttp(guard: Guard): Promise<Guarded> {
  return listening(
    createServer(
      guard.node(async (req, res) => {
        const chunks: Buffer[] = [];
        for await (const chunk of req) chunks.push(chunk);
        res.setHeader("x-ticket", guard.passOf(req).ticketId);
        res.end(Buffer.concat(chunks));
      }),
    ),
  );
}

export async function http2(guard: Guard): Promise<Guarded> {
  return listening(
    createHttp2Server(
      guard.node(async (req, res) => {
        const chunks: Buffer[] = [];
        for await (const chunk of req) chunks.push(chunk);
        res.setHeader("x-ticket", guard.passOf(req).ticketId);
        res.end(Buffer.concat(chunks));
      }),
    ),
  );
}

export async function onExpress(guard: Guard): Promise<Guarded> {
  const app = express();
  app.get("/free", (_, res) => {
    res.send("free");
  });
  app.use(guard.express, express.text({ type: "*/*" }));
  app.all("/{*path}", (req, res) => {
    res.set("x-ticket", guard.passOf(req).ticketId).send(typeof req.body === "string" ? req.body : "");
  });
  return listening(createServer(app as RequestListener));
}

export async function onFastify(guard: Guard): Promise<Guarded> {
  const app = fastify();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  app.addHook("onRequest", guard.fastify);
  app.all("/*", (request, reply) => {
    reply
      .header("x-ticket", guard.passOf(request).ticketId)
      .header("x-raw", guard.passOf(request.raw).ticketId);
    return reply.send(request.body ?? "");
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { url, [Symbol.asyncDispose]: () => app.close() };
}

/** A route that is guarded beside one that is not. */
export async function onFastifyRoute(guard: Guard): Promise<Guarded> {
  const app = fastify();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  app.get("/free", () => "free");
  app.all("/*", { onRequest: guard.fastify }, (request, reply) => {
    reply.header("x-ticket", guard.passOf(request).ticketId);
    return reply.send(request.body ?? "");
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { url, [Symbol.asyncDispose]: () => app.close() };
}

/** A handler as Bun and Deno take it, with the argument that they hand it beside the request. */
export async function onFetch(guard: Guard): Promise<Guarded> {
  const handler = guard.fetch(async (request, info: { readonly server: string }) => {
    const headers = { "x-ticket": guard.passOf(request).ticketId, "x-server": info.server };
    return new Response(await request.text(), { headers });
  });
  return served((request) => handler(request, { server: "here" }));
}

export async function onHono(guard: Guard): Promise<Guarded> {
  const app = new Hono();
  app.get("/free", (c) => c.text("free"));
  app.use(guard.hono);
  app.all("*", async (c) => {
    c.header("x-ticket", guard.passOf(c).ticketId);
    c.header("x-raw", guard.passOf(c.req.raw).ticketId);
    return c.body(await c.req.text());
  });
  return served((request) => app.fetch(request));
}

/** A server for handlers of fetch's kind, which Node has none of. */
function served(handler: (request: Request) => Response | Promise<Response>): Promise<Guarded> {
  return listening(
    createServer(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk);
      const { method = "GET", url, headers } = req;
      const names = Object.entries(headers).map(([name, value]) => [name, `${value}`] as [string, string]);
      const body = method === "GET" || method === "HEAD" ? undefined : Buffer.concat(chunks);
      const request = new Request(`http://${headers.host}${url}`, { method, headers: names, body });
      const response = await handler(request);
      res.writeHead(response.status, [...response.headers].flat());
      res.end(Buffer.from(await response.arrayBuffer()));
    }),
  );
}

export async function listening(server: HttpServer | Http2Server): Promise<Guarded> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}
