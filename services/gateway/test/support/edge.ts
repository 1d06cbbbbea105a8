// A listener for a test, closed at its end.

import { onTestFinished } from "vitest";
import type { Handler } from "../../src/listener/exchange.ts";
import type { ListenerLimits } from "../../src/listener/limits.ts";
import { type Listener, type ListenOptions, listen } from "../../src/listener/listener.ts";

export interface Edge extends Listener {
  /** What handlers threw. */
  readonly faults: readonly unknown[];
}

export async function openEdge(
  handler: Handler,
  limits: Partial<ListenerLimits> = {},
  options: Partial<ListenOptions> = {},
): Promise<Edge> {
  const faults: unknown[] = [];
  const listener = await listen({
    ...{ port: 0, handler, limits, onFault: (fault) => faults.push(fault) },
    ...options,
  });
  onTestFinished(async () => {
    await listener.close({ grace_ms: 0 });
  });
  return Object.create(listener, { faults: { value: faults } });
}
