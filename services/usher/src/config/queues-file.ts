// The queues alone of a file, which may be a whole `usher.yaml` or hold nothing but `queues`: what else stands there is
// not looked at, for where they are applied there need be neither its certificates nor its passwords.

import type { QueueConfig } from "./config.ts";
import { fields, problemsOf } from "./fields.ts";
import { configError, queueConfigs } from "./load.ts";
import type { Problem } from "./mistake.ts";
import { queuesProblems } from "./references.ts";
import { queuesSchema } from "./schema.ts";
import { parseSource, readSource } from "./source.ts";

/** Reads a file. Throws a `ConfigError` with every mistake in its queues, or where it has none. */
export async function loadQueues(path: string): Promise<readonly QueueConfig[]> {
  return parseQueues(await readSource(path, "name one with --file"), path);
}

/** Reads a text. `name`: what it is called in messages. Throws as `loadQueues`. */
export function parseQueues(text: string, name: string): readonly QueueConfig[] {
  const source = parseSource(name, text);
  const { value } = source;
  const whole = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  const found = "queues" in whole ? { queues: whole.queues } : {};
  const shape = fields({ queues: queuesSchema }).safeParse(found);
  const problems: Problem[] = shape.success ? [] : problemsOf(shape.error);
  problems.push(...queuesProblems(found));
  if (shape.success && problems.length === 0) {
    const queues = queueConfigs(shape.data.queues);
    if (queues.length > 0) return queues;
    problems.push({ path: [], text: "has no queues; give them as in usher.yaml: queues: { orders: { … } }" });
  }
  throw configError(name, source, problems);
}
