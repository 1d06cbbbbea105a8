// A request that changes something, and whose answer was lost: it may have been carried out, so it is not sent again. But
// the gateway can be asked whether it is kept, by a question that goes nowhere, whatever stands behind the address.

import type { RetryBudget } from "../calls/budget.ts";
import type { Clock } from "../calls/clock.ts";
import { backoff_ms, pause } from "../calls/pause.ts";
import { isProblemDocument, isTicketAnswer, problemIn, retryAfter_ms } from "./answers.ts";
import type { Repeatable } from "./request.ts";
import { timed } from "./timed.ts";

/** So often "no" is asked for before it is believed: the request may still be on its way when its connection is gone. */
const NO_MAX = 2;

export interface LostOptions {
  readonly send: typeof fetch;
  readonly clock: Clock;
  readonly budget: RetryBudget;
  /** How often the request may be sent, or asked after, in all. */
  readonly attempts: number;
}

/** What the request would be answered if it were sent again: 202, with its ticket. Absent where nobody has it, or nobody
 * says. Rejects where the caller gives up. */
export async function askKept(
  request: Repeatable,
  headers: Readonly<Record<string, string>>,
  { send, clock, budget, attempts }: LostOptions,
): Promise<Response | undefined> {
  const question = await clock.during(request.question(headers));
  const address = new URL("/_usher/requests", request.url).href;
  let [wait_ms, denied]: [number | undefined, number] = [undefined, 0];
  for (let asked = 1; question !== undefined && asked < attempts && budget.spend(); asked++) {
    await pause(backoff_ms(asked, wait_ms), request.signal, clock);
    try {
      const { signal } = request;
      const [response, problem] = await timed(
        address,
        question,
        { send, clock, signal },
        async (response) => [response, await problemIn(response)],
      );
      if (isTicketAnswer(response)) return response;
      wait_ms = retryAfter_ms(response);
      const isNo = response.status === 404 && isProblemDocument(response);
      await response.body?.cancel();
      if (!problem?.retryable && !(isNo && ++denied < NO_MAX)) return undefined;
    } catch {
      request.signal?.throwIfAborted();
    }
  }
  return undefined;
}
