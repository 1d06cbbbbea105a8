// A queue's settings, as a test gives them: by the names of the configuration.

import { SETTINGS_DEFAULTS, type Settings, settingsProblems } from "@usher/queue";
import { UsherError } from "../errors.ts";

/** How a test queue is set; one of `rate_per_second` and `max_active` is needed. */
export interface TestQueueSettings {
  /** `pass`: the person waits, and is given a pass. `defer`: the request waits. Cannot be changed later. Default: pass. */
  readonly kind?: "defer" | "pass";
  /** - `auto`: the usual.
   * - `queue_all`: nobody goes straight through a gateway.
   * - `paused`: nobody is admitted, except by `admit`.
   * - `open`: everybody goes straight through a gateway.
   * - `closed`: newcomers are refused.
   *
   * Default: auto. */
  readonly mode?: "auto" | "queue_all" | "paused" | "open" | "closed";
  /** Admissions a second, at most; to three decimals. Default: no limit. */
  readonly rate_per_second?: number;
  /** Tickets admitted at once, at most. Default: no limit. */
  readonly max_active?: number;
  /** How long a ticket may wait before it expires, in milliseconds; pauses do not count; an hour. */
  readonly max_wait_ms?: number;
  /** How many tickets may wait and be remembered together; 1,000,000. */
  readonly max_waiting?: number;
  /** How long an admitted ticket may stay before it expires, in milliseconds; 10 minutes. In a pass queue its slot is freed
   * 30 seconds later. */
  readonly session_ms?: number;
  /** How long an ended ticket and its idempotency key are remembered, in milliseconds; 15 minutes. */
  readonly key_retention_ms?: number;
  /** The operator's words to those who wait; none. */
  readonly notice?: string;
  /** The services that it stands in front of: its passes' audience. Default: none; then passes are for the queue's own
   * name. */
  readonly services?: readonly string[];
}

const MAX_WAIT_MS = 60 * 60_000;

/** Throws `misused` where no queue can be set so. `before`: what stays as it is. */
export function settingsOf(queue: string, given: TestQueueSettings, before?: Settings): Settings {
  const { services, rate_per_second, ...others } = given;
  const settings: Settings = {
    kind: "pass",
    max_wait_ms: MAX_WAIT_MS,
    ...SETTINGS_DEFAULTS,
    ...before,
    ...others,
    ...(rate_per_second !== undefined && { rate_thousandths: Math.round(rate_per_second * 1_000) }),
  };
  const problems = settingsProblems(settings);
  if (problems.length === 0) return settings;
  throw new UsherError("misused", `the queue "${queue}" cannot be set so: ${problems.join("; ")}`);
}
