// Calls that connect-node turns away before a method hears of them, or in its place: messages that are none or too
// large, encodings, time-outs and methods that it does not know, deadlines. Its errors have a code and words, and some
// of the codes blame the server. They are told as Usher's own are: each with a reason, and its code.

import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { UsherError } from "@usher/replica";

/** Characters of its words that are told, 256: they may repeat what came, and travel in a header. */
const WORDS_MAX = 256;

/** How connect-node's words begin where it blames itself for what a client has sent. */
const UNREADABLE = /^(parse binary: |decompression failed|invalid base64)/;

/** And where gRPC has it do so: the one mistake of a client that must be told as INTERNAL (gRPC's compression.md). */
const WRONGLY_MARKED = /^received compressed envelope/;

/** No field can be named. */
export function unreadable(why: string): UsherError {
  return new UsherError("INVALID_FIELD", `the message cannot be read: ${why}`);
}

/** There is nothing there that could be called so. */
export function notServed(why: string): UsherError {
  return new UsherError("NOT_IMPLEMENTED", why);
}

/** The message has more bytes than are read. */
export function tooLarge(message_bytes: number): UsherError {
  return new UsherError("TOO_LARGE", `a message may have ${message_bytes} bytes, and this one has more`);
}

/** What a caller is to be told in place of this error; the same, where that has a reason. */
export function explained(error: ConnectError, message_bytes: number): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length > 0) return error;
  const better = reasonFor(error, message_bytes);
  // The encodings that are taken, for one.
  if (!error.isWireError) for (const [name, value] of error.metadata) better.metadata.append(name, value);
  return better;
}

function reasonFor(error: ConnectError, message_bytes: number): ConnectError {
  const words = error.rawMessage.slice(0, WORDS_MAX);
  switch (error.code) {
    case Code.InvalidArgument:
      return /^(protocol error: invalid \w+ timeout|timeout )/.test(words)
        ? new UsherError("INVALID_FIELD", words)
        : unreadable(words);
    case Code.Unimplemented:
      return notServed(words);
    case Code.ResourceExhausted:
      return tooLarge(message_bytes);
    case Code.DeadlineExceeded:
      return new UsherError("DEADLINE_EXCEEDED", "The call's deadline was over before its end.");
    case Code.Internal:
      if (UNREADABLE.test(words)) return unreadable(words);
      return new UsherError(
        "INTERNAL",
        WRONGLY_MARKED.test(words)
          ? "A message is marked as compressed, and the call names no encoding."
          : "Something failed inside Usher; its log says what.",
      );
    default:
      return error;
  }
}
