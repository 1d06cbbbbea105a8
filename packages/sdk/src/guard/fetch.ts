// Before handlers that take a `Request` and return a `Response`: Bun, Deno, Hono, and whatever else is built of them.

import type { Gate } from "./gate.ts";
import { answerOf } from "./http.ts";
import type { HeaderOf } from "./presented.ts";

/** What is read of a context of Hono's. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
}

/** The answer of a request that is refused; absent where it may go on. */
export async function refusedBy(
  gate: Gate,
  request: Request,
  ...holders: readonly object[]
): Promise<Response | undefined> {
  const header: HeaderOf = (name) => request.headers.get(name);
  const refusal = await gate.check(header, request, ...holders);
  if (refusal === undefined) return undefined;
  const answer = answerOf(refusal, header);
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
}
