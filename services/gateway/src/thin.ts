import { create } from "@bufbuild/protobuf";
import {
  HeaderSchema,
  type StoredRequest,
  type StoredResponse,
  StoredResponseSchema,
} from "@usher/protocol/payload";
import { Agent, request as send } from "undici";
import type { EdgeRequest, EdgeResponse } from "./listener/exchange.ts";
import { answerProblem, problem } from "./listener/problem.ts";

export type SentOutcome =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly retry_after_ms?: number;
      readonly response: StoredResponse;
    }
  | { readonly kind: "not_connected" | "lost" | "timed_out" };
export type Sender = (
  request: StoredRequest,
  how: { number: number; onSent: () => void },
) => Promise<SentOutcome>;
const HOP = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "upgrade",
  "host",
  "content-length",
  "expect",
]);
export function storableHeaders(req: EdgeRequest): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i]!;
    if (!HOP.has(name.toLowerCase()) && !name.startsWith(":") && !/^usher-/i.test(name))
      out.push([name, req.rawHeaders[i + 1]!]);
  }
  return out;
}
export class Forwarder {
  readonly #services: Readonly<Record<string, { readonly url: string }>>;
  readonly #agent = new Agent({ connections: null, pipelining: 1 });
  constructor({ services }: { services: Readonly<Record<string, { readonly url: string }>> }) {
    this.#services = services;
  }
  async forward(
    req: EdgeRequest,
    res: EdgeResponse,
    { service, timeout_ms }: { service: string; timeout_ms: number },
  ) {
    try {
      const r = await send(this.#services[service]!.url + req.url, {
        dispatcher: this.#agent,
        method: req.method as "GET",
        headers: storableHeaders(req).flat(),
        body: req.method === "GET" || req.method === "HEAD" ? null : (req as never),
        headersTimeout: timeout_ms,
      });
      res.statusCode = r.statusCode;
      for (const [n, v] of Object.entries(r.headers)) if (v !== undefined && !HOP.has(n)) res.setHeader(n, v);
      for await (const chunk of r.body) res.write(chunk as never);
      res.end();
    } catch (e) {
      answerProblem(req, res, problem("service_unreachable", String(e)));
    }
  }
  sender(): Sender {
    return async (request, { number, onSent }) => {
      const signal = AbortSignal.timeout(request.timeoutMs);
      try {
        const headers = request.headers.flatMap(({ name, value }) => [
          name,
          Buffer.from(value).toString("latin1"),
        ]);
        const sending = send(this.#services[request.service]!.url + request.target, {
          dispatcher: this.#agent,
          method: request.method as "GET",
          headers: [...headers, "Usher-Ticket", `${number}`],
          body: request.body.length ? request.body : null,
          signal,
        });
        setTimeout(onSent, 1);
        const r = await sending;
        const body = new Uint8Array(await r.body.arrayBuffer());
        const list = Object.entries(r.headers)
          .filter(([n, v]) => v !== undefined && !HOP.has(n))
          .flatMap(([name, v]) =>
            [v!].flat().map((value) => create(HeaderSchema, { name, value: Buffer.from(value, "latin1") })),
          );
        return {
          kind: "answered",
          status: r.statusCode,
          response: create(StoredResponseSchema, { status: r.statusCode, headers: list, body }),
        };
      } catch (e) {
        if (signal.aborted) return { kind: "timed_out" };
        return { kind: (e as { code?: string }).code === "ECONNREFUSED" ? "not_connected" : "lost" };
      }
    };
  }
  async close() {
    await this.#agent.close();
  }
}
