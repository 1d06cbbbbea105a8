// Why a fetch failed, in words.

/** What is known of it: in Node, its cause says more than it does. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { cause, message } = thrown;
  if (!(cause instanceof Error)) return message;
  const code = "code" in cause ? `${cause.code ?? ""}` : "";
  if (cause.message.includes(code)) return cause.message;
  // Where several addresses were tried, Node has no message for all of them.
  return cause.message === "" ? code : `${cause.message}, ${code}`;
}
