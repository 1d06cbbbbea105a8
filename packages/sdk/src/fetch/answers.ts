// Which answers are Usher's own, and what they say. A service's answers are passed on as they are, whatever their status:
// Usher's are known by headers that it lets no service set.

import type { StatusJson } from "@usher/protocol/queue";
import { codeOf, type ErrorCode, UsherError } from "../errors.ts";
import { statusOf } from "../rpc/connect/json.ts";
import type { Status } from "../status.ts";

/** A place in the line, as an answer tells of it. */
export interface TicketAnswer {
  /** Where it is looked at. Secret. */
  readonly url: string;
  readonly status: Status | undefined;
}

const TICKET_PATH = /\/_usher\/tickets\/[^/]+$/;
const PROBLEM_TYPE = "urn:usher:problem:";

/** The problems of the gateway that are errors of the contract under another name. */
const RENAMED: Readonly<Record<string, ErrorCode>> = {
  request_malformed: "invalid_field",
  ticket_not_found: "token_invalid",
  ticket_forgotten: "ticket_not_found",
  api_key_invalid: "api_key_required",
};

/** A line that is full stays so for longer than anybody wants to look at a page that does nothing. */
const NOT_WAITED_FOR: ReadonlySet<ErrorCode> = new Set(["queue_full"]);

/** No document of the gateway's comes near it, in characters; 65,536. */
const DOCUMENT_LENGTH_MAX = 64 * 1024;

/** The longest `Retry-After` that is heeded, in milliseconds. */
const RETRY_AFTER_MS_MAX = 60_000;

/** The ticket that an answer gives out, instead of the service's own. `requested`: where the answer is from. */
export async function ticketIn(response: Response, requested: string): Promise<TicketAnswer | undefined> {
  const { status, headers } = response;
  if (status !== 429 && !isTicketAnswer(response)) return undefined;
  if (!headers.has("usher-ticket")) return undefined;
  const base = response.url || requested;
  if (status === 429 && !isProblemDocument(response)) return undefined;
  const location = headers.get("location");
  if (status === 202 && !isTicket(location ?? "", base)) return undefined;
  const document = await jsonOf(response.clone());
  // Where a proxy asked for the decision alone, only the document may say.
  const said = location ?? textIn(document, "ticket_url") ?? "";
  if (!isTicket(said, base)) return undefined;
  await response.body?.cancel().catch(() => {});
  // Any node behind the same address knows it: so the secret goes nowhere else, whatever address the gateway calls its own.
  return { url: new URL(new URL(said, base).pathname, base).href, status: statusIn(document) };
}

/** Whether it looks like the answer to a request that is kept. */
export function isTicketAnswer({ status, headers }: Response): boolean {
  return status === 202 && headers.has("usher-ticket");
}

/** Whether the gateway itself refuses: a service's problem may look just the same, and come after all was carried out. */
export function isOwnProblem({ headers }: Response): boolean {
  return headers.has("usher-problem");
}

/** What a refusal of the gateway means, and whether it is worth sending the request again by and by. Absent for any other
 * answer, such as a service's that was kept, and is told with the number of its ticket. */
export async function problemIn(response: Response): Promise<UsherError | undefined> {
  const { status, headers } = response;
  if (status < 400 || headers.has("usher-ticket") || !isProblemDocument(response)) return undefined;
  const error = errorOf(await jsonOf(response.clone()), response);
  if (error === undefined || !NOT_WAITED_FOR.has(error.code)) return error;
  return new UsherError(error.code, error.message, { kind: { retryable: false } });
}

/** The same from a document that has been read. */
export function errorOf(document: unknown, response: Response): UsherError | undefined {
  const [, reason] = textIn(document, "type")?.split(PROBLEM_TYPE) ?? [];
  if (reason === undefined) return undefined;
  const code = RENAMED[reason] ?? codeOf(reason);
  if (code === undefined) return undefined;
  const detail = textIn(document, "detail") ?? textIn(document, "title") ?? reason;
  return new UsherError(code, detail, { retryAfter: retryAfter_ms(response) });
}

/** How long an answer asks to be left alone, in milliseconds; absent where it does not say, in seconds. */
export function retryAfter_ms({ headers }: Response): number | undefined {
  const seconds = headers.get("retry-after");
  if (seconds === null || !/^\d{1,9}$/.test(seconds)) return undefined;
  return Math.min(RETRY_AFTER_MS_MAX, Number(seconds) * 1000);
}

/** The status that a document holds; absent where it holds none. */
export function statusIn(document: unknown): Status | undefined {
  if (typeof document !== "object" || document === null || !("ticket" in document)) return undefined;
  try {
    return statusOf(document as StatusJson);
  } catch {
    return undefined;
  }
}

/** Absent where it is none, or too long to be one of the gateway's. */
export async function jsonOf(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await textOf(response));
  } catch {
    return undefined;
  }
}

/** What is beyond the longest document is left unread. */
export async function textOf({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (reader !== undefined && text.length <= DOCUMENT_LENGTH_MAX) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
  reader?.cancel().catch(() => {});
  return text;
}

export function isProblemDocument({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("application/problem+json") ?? false;
}

/** Whether it is the address of a ticket. */
export function isTicket(location: string, base: string): boolean {
  return URL.canParse(location, base) && TICKET_PATH.test(new URL(location, base).pathname);
}

function textIn(document: unknown, name: string): string | undefined {
  if (typeof document !== "object" || document === null) return undefined;
  const value = (document as Record<string, unknown>)[name];
  return typeof value === "string" ? value : undefined;
}
