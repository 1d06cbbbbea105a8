// The shape of `listen.tls`: a certificate and its key, in files that are looked at here and read again by the gateway.

import * as z from "zod";
import { field, fields } from "./fields.ts";
import { belongTogether, certificates, privateKey, withPlace } from "./named-files.ts";

/** Paths count from `directory`. */
export function tlsSchema(directory: string) {
  return fields({
    cert: field(withPlace(directory, certificates(directory))),
    key: field(withPlace(directory, privateKey(directory))),
  }).transform(({ cert, key }, context) => {
    if (belongTogether(cert.text, key.text)) return { cert: cert.path, key: key.path };
    const message = "is another certificate's; give the one that listen.tls.cert was made with";
    context.addIssue({ code: "custom", path: ["key"], message });
    return z.NEVER;
  });
}
