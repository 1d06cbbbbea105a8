// What an error of the Connect protocol says: https://connectrpc.com/docs/protocol/#error-end-stream. The reason stands in
// its details, as protobuf's bytes in base64, of which only the few fields are read that are needed here.

import { codeOf, type ErrorCode, UsherError } from "../../errors.ts";

/** An error, as the protocol has it. */
export interface ErrorJson {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly type?: string; readonly value?: string }[];
}

const ERROR_INFO = "google.rpc.ErrorInfo";
const RETRY_INFO = "google.rpc.RetryInfo";

/** Where no reason is told: whatever answered is a proxy, or an Usher of another time. */
const BY_CODE: Readonly<Record<string, ErrorCode>> = {
  canceled: "canceled",
  deadline_exceeded: "deadline_exceeded",
  unimplemented: "not_implemented",
  invalid_argument: "invalid_field",
  unauthenticated: "api_key_required",
  resource_exhausted: "overloaded",
  unavailable: "not_ready",
};

/** The error that a server has told. `where`: the one that was asked. */
export function refusalOf(
  { code = "unknown", message = "", details = [] }: ErrorJson,
  where: string,
): UsherError {
  const reason = text(fieldOf(details, ERROR_INFO, 1));
  const delay = fieldOf(details, RETRY_INFO, 1);
  const known = codeOf(reason) ?? BY_CODE[code];
  const words = message === "" ? code : message;
  const told =
    codeOf(reason) === undefined ? `${where} answers ${[reason ?? code, words].join(": ")}` : words;
  const retryAfter = delay && duration_ms(delay);
  // By the other side, or something in between: what the caller gives up itself is told where it is given up.
  const kind = known === "canceled" ? { retryable: true } : {};
  if (known !== undefined) return new UsherError(known, told, { retryAfter, kind });
  const retryable = code === "aborted" || retryAfter !== undefined;
  return new UsherError("unexpected_answer", told, { retryAfter, kind: { retryable } });
}

export function isErrorJson(value: unknown): value is ErrorJson {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string";
}

function fieldOf(
  details: NonNullable<ErrorJson["details"]>,
  type: string,
  field: number,
): Uint8Array | undefined {
  const detail = details.find((one) => one.type === type);
  if (detail?.value === undefined) return undefined;
  const found = fields(bytes(detail.value)).get(field);
  return found instanceof Uint8Array ? found : undefined;
}

function duration_ms(message: Uint8Array): number {
  const read = fields(message);
  return Number(read.get(1) ?? 0) * 1000 + Number(read.get(2) ?? 0) / 1e6;
}

function text(value: Uint8Array | undefined): string | undefined {
  return value && new TextDecoder().decode(value);
}

function bytes(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

/** A message's last varint or bytes for each field: https://protobuf.dev/programming-guides/encoding/. Ends where it meets
 * another kind, which neither of the two messages has. */
function fields(message: Uint8Array): Map<number, number | Uint8Array> {
  const found = new Map<number, number | Uint8Array>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind !== 0 && kind !== 2) break;
    const value = varint();
    found.set(Math.floor(tag / 8), kind === 0 ? value : message.subarray(at, at + value));
    if (kind === 2) at += value;
  }
  return found;
}
