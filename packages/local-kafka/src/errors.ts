/** Kafka cannot be had, started or used on this machine as asked. The message says why and what to do. */
export class LocalKafkaError extends Error {
  override readonly name = "LocalKafkaError";
}

/** The code of a system error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
