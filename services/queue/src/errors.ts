// Errors: what an implementation throws, as a gRPC status with its details.

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "@usher/protocol/status";
import { UsherError } from "@usher/replica";
import { addHeaders } from "./metadata.ts";

/** Characters of a status message that are sent, 1,024: it travels in a header, and clients take 8 KiB of those. */
const MESSAGE_CHARACTERS = 1_024;

/** Told of what no caller is told: the error as it was thrown, and the method that it came from. */
export type OnError = (error: unknown, method: string) => void;

/** Anything but a ConnectError is an accident: the caller learns that it happened, `onError` learns what. */
export function statusOf(
  thrown: unknown,
  trailer: Headers,
  onUnexpected: (error: unknown) => void,
): StatusObject {
  if (!(thrown instanceof ConnectError)) {
    onUnexpected(thrown);
    return encode(internal(), new Headers());
  }
  try {
    return encode(thrown, trailer);
  } catch (fault) {
    onUnexpected(fault);
    return encode(internal(), new Headers());
  }
}

/** The request cannot be read at all, so no field can be named. */
export function malformed(message: string): ConnectError {
  return new UsherError("INVALID_FIELD", message);
}

function internal(): ConnectError {
  return new UsherError("INTERNAL", "Something failed inside Usher; its log says what.");
}

function encode(error: ConnectError, trailer: Headers): StatusObject {
  // A lone surrogate would throw inside grpc-js, where it percent-encodes the message.
  const message = error.rawMessage.slice(0, MESSAGE_CHARACTERS).toWellFormed();
  const metadata = new Metadata();
  addHeaders(metadata, trailer);
  addHeaders(metadata, error.metadata);
  if (error.details.length > 0) {
    const details = error.details.map((detail) =>
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
    );
    const status = create(StatusSchema, { code: error.code, message, details });
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  }
  const code: number = error.code;
  return { code, details: message, metadata };
}
