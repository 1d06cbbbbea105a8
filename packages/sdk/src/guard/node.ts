// Before handlers of node:http, http2 in its compatible form, Express, and Fastify. What they are made of is told by shape,
// so that none of them has to be there.

import type { Gate } from "./gate.ts";
import { answerOf } from "./http.ts";
import type { HeaderOf } from "./presented.ts";

/** What is read of a request: of `IncomingMessage`, `Http2ServerRequest` and Express's `Request` alike. */
export interface NodeRequest {
  readonly headers: NodeHeaders;
}

/** What is used of a response. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/** What is read of a request of Fastify's. */
export interface FastifyRequest {
  readonly headers: NodeHeaders;
  readonly raw: object;
}

/** What is used of a reply of Fastify's. */
export interface FastifyReply {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: string): unknown;
}

type NodeHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Rejects with what the handler throws. */
export async function guardNode<Req extends NodeRequest, Res extends NodeResponse>(
  gate: Gate,
  req: Req,
  res: Res,
  goOn: () => unknown,
): Promise<void> {
  const header = headerOf(req.headers);
  const refusal = await gate.check(header, req);
  if (refusal === undefined) {
    await goOn();
    return;
  }
  const answer = answerOf(refusal, header);
  res.writeHead(answer.status, { ...answer.headers });
  res.end(answer.body);
}

/** As a hook: whoever returns the reply has answered. */
export async function guardFastify<Reply extends FastifyReply>(
  gate: Gate,
  request: FastifyRequest,
  reply: Reply,
): Promise<Reply | undefined> {
  const header = headerOf(request.headers);
  const refusal = await gate.check(header, request, request.raw);
  if (refusal === undefined) return undefined;
  const answer = answerOf(refusal, header);
  reply.code(answer.status);
  reply.headers({ ...answer.headers });
  reply.send(answer.body);
  return reply;
}

function headerOf(headers: NodeHeaders): HeaderOf {
  return (name) => headers[name];
}
