// Compressed requests. grpc-js would inflate every message of a stream as it comes, before anybody looks at it: one
// connection that sends 2 MB of small bombs makes it hold 900 MB. So the guard hides the encoding from grpc-js, the
// bytes get here as they were sent, and one message a call is inflated, when it is about to be read.

import { gunzipSync } from "node:zlib";
import { UsherError } from "@usher/replica";
import { malformed } from "./errors.ts";

/** What `grpc-accept-encoding` tells clients. */
export const ACCEPTED_ENCODINGS = "identity,gzip";

/** A gzip stream begins with 1f 8b. No protobuf message does: 1f would be a field of the wire type 7, which there
 * is not. So the message itself shows whether it is compressed, and the flag before it is not needed. */
export function inflate(message: Buffer, limit_bytes: number): Buffer {
  if (message.length < 2 || message[0] !== 0x1f || message[1] !== 0x8b) {
    return message;
  }
  try {
    return gunzipSync(message, { maxOutputLength: limit_bytes });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new UsherError("TOO_LARGE", `the message inflates to more than ${limit_bytes} bytes`);
    }
    throw malformed("the message is not whole gzip");
  }
}
