// What `usher watch` is given: a ticket's URL, as a 202 has it in `Location`, or the bare token.

import { Mistake } from "../../config/mistake.ts";
import { origin } from "../../config/network.ts";

export interface TicketAddress {
  /** Where the gateway is. */
  readonly url: string;
  readonly token: string;
}

const WANTED = "a ticket's URL (http://localhost:8080/_usher/tickets/…) or its token";

/** `gateway`: where it is, if only a token is given. Throws a `Mistake`. */
export function ticketAddress(text: string, gateway: string): TicketAddress {
  if (!text.includes("/")) return { url: gateway, token: checked(text) };
  // A path alone is what `Location` may hold.
  const url = URL.canParse(text, gateway) ? new URL(text, gateway) : undefined;
  const token = /^\/_usher\/tickets\/([^/]+)(\/response)?$/.exec(url?.pathname ?? "")?.[1];
  if (url === undefined || token === undefined) throw new Mistake(`this is not a ticket; give ${WANTED}`);
  return { url: origin(url.origin), token: checked(token) };
}

/** A token's letters; the message does not repeat what may be a secret. */
function checked(token: string): string {
  if (/^[\w.~-]{1,1024}$/.test(token)) return token;
  throw new Mistake(`this is not a ticket's token; give ${WANTED}`);
}
