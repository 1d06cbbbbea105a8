// An API key goes out as a header.

import { UsherError } from "../errors.ts";

/** The key as it is. Throws where it cannot be a header's value; the error does not show it. */
export function headerValue(apiKey: string): string {
  if (/^[\x21-\x7e]+$/.test(apiKey)) return apiKey;
  const what = apiKey === "" ? "empty" : "not one line of printable ASCII without spaces";
  throw new UsherError("misused", `apiKey is ${what}: was a line break read with it?`);
}
