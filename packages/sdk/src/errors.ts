// All that can go wrong, as one class with a closed set of codes: what happened, whether the same call may succeed when it
// is made again, and whether it may have been carried out.

/** - `refused`: surely nothing has happened.
 * - `unknown`: it may have happened, or not. The same idempotency key, request id or token will tell. */
export type Outcome = "refused" | "unknown";

export interface ErrorKind {
  /** Whether the same call may succeed when it is made again as it is. */
  readonly retryable: boolean;
  readonly outcome: Outcome;
}

const NEVER = { retryable: false, outcome: "refused" } as const satisfies ErrorKind;
const LATER = { retryable: true, outcome: "refused" } as const satisfies ErrorKind;
const DOUBT = { retryable: true, outcome: "unknown" } as const satisfies ErrorKind;

/** What a server refuses with: the reasons of the contract (`ErrorReason`), in small letters. */
export const SERVER_ERRORS = {
  /** A field is missing, malformed or too large. */
  invalid_field: NEVER,
  /** There is no queue of that name. */
  queue_not_found: NEVER,
  /** The token is not one of this server's: damaged, forged, or from another environment. */
  token_invalid: NEVER,
  /** The queue was made anew; the ticket is void: take a new one. */
  queue_reset: NEVER,
  /** The ticket ended, and longer ago than it is remembered. */
  ticket_not_found: NEVER,
  /** The idempotency key, or the request id, was used with another request. */
  key_reused: NEVER,
  /** Without an API key, an idempotency key has at least 22 characters. */
  key_too_short: NEVER,
  /** The queue holds as many tickets as it may. */
  queue_full: LATER,
  /** The queue takes no newcomers. */
  queue_closed: NEVER,
  /** The stored request is on its way to the service and cannot be taken back. */
  already_claimed: NEVER,
  /** The ticket still waits, has ended, or has a stored request: it cannot be completed. */
  not_admitted: NEVER,
  /** The call needs an API key, and none came, or a wrong one. */
  api_key_required: NEVER,
  /** No tickets can be given out, nor anything else be changed, at present. */
  log_unavailable: LATER,
  /** It may have happened, or not. */
  outcome_unknown: DOUBT,
  /** The node holds as many calls, streams or bytes as it may. */
  overloaded: LATER,
  /** The node is shutting down, or has only just started. */
  not_ready: LATER,
  /** The node has not read as far as this client has seen. */
  behind: LATER,
  /** The queue was changed since it was read. */
  etag_mismatch: NEVER,
  /** Something failed inside the server. */
  internal: { retryable: false, outcome: "unknown" },
  /** The stored request has not failed, and cannot be taken up again. */
  not_failed: NEVER,
  /** As many of the queue's tickets are active as may be. */
  no_room: LATER,
  /** The server does not know the call, or speaks it in another way: it is older than this client, or no Usher. */
  not_implemented: NEVER,
  /** The message is larger than the server takes. */
  too_large: NEVER,
  /** The call's time was over before it was answered, here or there. */
  deadline_exceeded: DOUBT,
} as const satisfies Record<string, ErrorKind>;

/** What this side of the wire finds. */
export const CLIENT_ERRORS = {
  /** Nobody answered: the server is down, or the network is. Where there was no connection at all, as Node tells, the
   * outcome is `refused`. */
  unreachable: DOUBT,
  /** The caller gave up: its signal was aborted, or the client was closed. Where the other side did: `retryable`. */
  canceled: { retryable: false, outcome: "unknown" },
  /** Something answered that does not speak the protocol: a proxy's page, or another program. */
  unexpected_answer: DOUBT,
  /** The client was asked for what makes no sense; the message says what to do. */
  misused: NEVER,
} as const satisfies Record<string, ErrorKind>;

export type ServerErrorCode = keyof typeof SERVER_ERRORS;
export type ErrorCode = ServerErrorCode | keyof typeof CLIENT_ERRORS;

const KINDS: Readonly<Record<ErrorCode, ErrorKind>> = { ...SERVER_ERRORS, ...CLIENT_ERRORS };

export interface ErrorOptions {
  readonly cause?: unknown;
  /** In milliseconds. */
  readonly retryAfter?: number | undefined;
  /** Where it differs from what the code says of itself. */
  readonly kind?: Partial<ErrorKind>;
}

/** The one error of this package. */
export class UsherError extends Error {
  override readonly name = "UsherError";
  /** What happened: one of a closed set. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed when it is made again as it is. The client has done so already, as often as its
   * options allow. */
  readonly retryable: boolean;
  /** Whether it may have been carried out. */
  readonly outcome: Outcome;
  /** How long the server wants to be left alone, in milliseconds; absent where it did not say. */
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, { cause, retryAfter, kind }: ErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    const { retryable, outcome } = { ...KINDS[code], ...kind };
    this.code = code;
    this.retryable = retryable;
    this.outcome = outcome;
    this.retryAfter = retryAfter;
  }

  /** Any thrown value as one of these. */
  static from(thrown: unknown): UsherError {
    if (thrown instanceof UsherError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (isAbort(thrown)) return new UsherError("canceled", message, { cause: thrown });
    return new UsherError("unreachable", message, { cause: thrown });
  }
}

/** The code for a reason of the contract; absent for one that this build does not know. */
export function codeOf(reason: string | undefined): ServerErrorCode | undefined {
  const code = reason?.toLowerCase();
  return code !== undefined && Object.hasOwn(SERVER_ERRORS, code) ? (code as ServerErrorCode) : undefined;
}

/** Whether it is how an abort is told. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AbortError";
}
