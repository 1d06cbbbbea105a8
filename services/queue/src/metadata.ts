// Metadata: gRPC's map of headers and trailers, and the web's Headers, which the implementations know.

import type { Metadata } from "@grpc/grpc-js";

/** As connect has it: binary values in base64, several of one name joined by ", ". */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const name of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(name)) {
      headers.append(name, typeof value === "string" ? value : value.toString("base64"));
    }
  }
  return headers;
}

/** Adds what an implementation set. The names that gRPC keeps for itself, and what metadata cannot carry, are left out. */
export function addHeaders(target: Metadata, headers: Headers): void {
  for (const [name, value] of headers) {
    if (name.startsWith("grpc-") || name.startsWith(":") || RESERVED.has(name)) {
      continue;
    }
    if (name.endsWith("-bin")) {
      for (const part of value.split(",")) {
        target.add(name, Buffer.from(part.trim(), "base64"));
      }
    } else if (PRINTABLE.test(value)) {
      target.add(name, value);
    }
  }
}

/** All that a metadata value may consist of, by gRPC's own rule. */
export const PRINTABLE = /^[ -~]*$/;

const RESERVED = new Set([
  "content-type",
  "content-length",
  "te",
  "trailer",
  "connection",
  "transfer-encoding",
]);
