// Who sends a request to a `defer` queue, and under which key: what makes a retry the same ticket.

import { type Access, type Caller, KEY_LENGTH_MIN } from "@usher/replica";
import type { EdgeRequest } from "../listener/exchange.ts";
import { KEY_HEADER } from "./stored-request.ts";

const KEY_LENGTH_MAX = 255;

export interface Identity {
  readonly caller: Caller;
  /** The client's own key, where it may serve as the ticket's. */
  readonly key: string | undefined;
  /** Why the client's own key is not the ticket's; absent where it is, and where there is none. */
  readonly keyIgnored: string | undefined;
}

/** Throws API_KEY_REQUIRED where an API key came that is none. */
export function identityOf(req: EdgeRequest, access: Access): Identity {
  const caller = access.caller(credentialsOf(req));
  const key = onlyOf(req.headers[KEY_HEADER]);
  const keyIgnored = key === undefined ? undefined : unfit(key, caller);
  return { caller, key: keyIgnored === undefined ? key : undefined, keyIgnored };
}

/** Why a client's key cannot serve as a ticket's, if it cannot. It is forwarded all the same. */
function unfit(key: string, caller: Caller): string | undefined {
  if (/[^\x20-\x7e]/.test(key)) return "not printable ASCII";
  if (key.length > KEY_LENGTH_MAX) return `longer than ${KEY_LENGTH_MAX} characters`;
  if (caller.id === "" && key.length < KEY_LENGTH_MIN) return `shorter than ${KEY_LENGTH_MIN} characters`;
  return key === "" ? "empty" : undefined;
}

function credentialsOf(req: EdgeRequest): Headers {
  const headers = new Headers();
  for (const name of ["authorization", "usher-api-key"]) {
    const value = onlyOf(req.headers[name]);
    if (value !== undefined) headers.set(name, value);
  }
  return headers;
}

/** A header's value; absent where it came more than once. */
export function onlyOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
