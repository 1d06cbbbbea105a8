// The log as JSON lines on standard error, by pino: time, level, message, the trace that the line belongs to, and what
// else there is.

import { activeTrace } from "../context.ts";
import type { ServerLog } from "./log.ts";

const STANDARD_ERROR = 2;

/** Lines are written before the call returns, so that none is lost when the process ends, or is ended. */
export async function jsonLog(): Promise<ServerLog> {
  // Here, so that who logs text does not load it.
  const { pino } = await import("pino");
  const destination = pino.destination({ dest: STANDARD_ERROR, sync: true });
  // Whoever read it has gone away, or its disk is full: no reason not to serve.
  destination.on("error", () => {});
  const logger = pino(
    {
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
  // People's lines stand in columns.
  return (level, message, fields) =>
    logger[level]({ ...fields, ...activeTrace() }, message.replace(/ {2,}/g, " "));
}
