// For whom a queue's passes are: the services that its routes lead to.

import type { Audiences } from "@usher/replica";
import type { Route } from "./config/config.ts";

/** In alphabetical order, so that nodes whose routes stand in another order mint the same passes. */
export function audiencesOf(routes: readonly Pick<Route, "queue" | "service">[]): Audiences {
  const byQueue = new Map<string, string[]>();
  for (const { queue, service } of routes) {
    const services = queue === undefined ? [] : (byQueue.get(queue) ?? []);
    if (queue === undefined || services.includes(service)) continue;
    byQueue.set(queue, [...services, service].sort());
  }
  return (queue) => byQueue.get(queue) ?? [];
}
