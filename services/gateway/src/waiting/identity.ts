// Who sends a request, and to a `defer` queue under which key: what makes a retry the same ticket.

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
  const caller = access.caller(credentialsOf(req.headers));
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

/** What a request says of its sender, for `Access`. */
export function credentialsOf(headers: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const credentials = new Headers();
  for (const name of ["authorization", "usher-api-key"]) {
    const value = onlyOf(headers[name]);
    if (value !== undefined) credentials.set(name, value);
  }
  return credentials;
}

/** A header's value; absent where it came more than once. */
export function onlyOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
