// Requests that surely never left, so that nothing has happened. Node tells why a connection failed (`cause`); a browser
// tells nobody.

/** What could not be asked for before there was a connection: the name's address, and the connection. A code alone does not
 * tell: a connection that is there can end with EHOSTUNREACH, too. */
const BEFORE_SENDING: ReadonlySet<unknown> = new Set(["getaddrinfo", "connect"]);

/** Whether an error with which `fetch` rejected proves that nothing was sent: there was no connection to send it on. */
export function provesUnsent(error: unknown): boolean {
  return error instanceof Error && isConnecting(error.cause);
}

/** `errors`: one for each address that was tried, where there were several. `UND_ERR_CONNECT_TIMEOUT`: undici's own time-out,
 * which ends with the connection's beginning. */
function isConnecting(cause: unknown): boolean {
  if (typeof cause !== "object" || cause === null) return false;
  const { code, syscall, errors } = cause as Readonly<Record<string, unknown>>;
  if (Array.isArray(errors) && errors.length > 0) return errors.every(isConnecting);
  return code === "UND_ERR_CONNECT_TIMEOUT" || BEFORE_SENDING.has(syscall);
}
