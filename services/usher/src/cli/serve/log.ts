// What a server says, as text for people or as JSON lines for what collects logs. Text unless it is asked for
// otherwise, also where standard error is no terminal: whoever pipes it may read it, and knows to ask.

import type { ServerLog } from "@usher/telemetry";
import { Mistake } from "../../config/mistake.ts";
import { UsageError } from "../../failure.ts";
import { say } from "../say.ts";

export type LogFormat = "text" | "json";

/** The variable that stands for the flag. */
const VARIABLE = "USHER_LOG_FORMAT";

/** Reads a flag's value. */
export function logFormat(text: unknown): LogFormat {
  if (text === "text" || text === "json") return text;
  throw new Mistake("must be text or json");
}

/** The flag's format, else the environment's, else text. */
export async function openServerLog(format: LogFormat | undefined): Promise<ServerLog> {
  if ((format ?? formatOfEnvironment()) === "text") return (_level, message) => say(message);
  const { jsonLog } = await import("@usher/telemetry");
  return jsonLog();
}

function formatOfEnvironment(): LogFormat {
  try {
    return logFormat(process.env[VARIABLE] || "text");
  } catch (error) {
    throw new UsageError(`${VARIABLE} ${error instanceof Error ? error.message : error}`);
  }
}
