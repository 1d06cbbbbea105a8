// What is stored for tickets beside the log: requests, their answers, and what Issue was told. Encrypted here, so
// that the log's store never sees it.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Payload,
  PayloadSchema,
  type StoredRequest,
  type StoredResponse,
} from "@usher/protocol/payload";
import type { Payload as LogPayload, PayloadKey, TicketLog } from "@usher/ticket-log";
import type { Cipher } from "./keys/cipher.ts";
import type { RecordName } from "./log/session.ts";

/** The attempt under which the request itself is kept. */
const REQUEST = 0;

/** Tickets whose payloads are dropped in one call: well below what the log takes, so that others get their turn. */
const DROPS = 1_000;

export interface Details {
  readonly subject: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class Payloads {
  readonly #log: TicketLog;
  readonly #cipher: Cipher;

  constructor(log: TicketLog, cipher: Cipher) {
    this.#log = log;
    this.#cipher = cipher;
  }

  /** For appending with the record that issues the ticket. */
  request(origin: RecordName, request: StoredRequest): LogPayload {
    return this.#seal(origin, REQUEST, { case: "request", value: request });
  }

  details(origin: RecordName, details: Details): LogPayload {
    return this.#seal(origin, REQUEST, {
      case: "details",
      value: {
        $typeName: "usher.log.v1.TicketDetails",
        subject: details.subject,
        attributes: { ...details.attributes },
      },
    });
  }

  /** For appending with the record that says that the request was answered. */
  response(origin: RecordName, attempt: number, response: StoredResponse): LogPayload {
    return this.#seal(origin, attempt, { case: "response", value: response });
  }

  /** Absent: gone, or not to be opened. */
  async readRequest(origin: RecordName): Promise<StoredRequest | undefined> {
    const kind = await this.#read(origin, REQUEST);
    return kind?.case === "request" ? kind.value : undefined;
  }

  /** Whether what came with the ticket is stored, be it to be opened here or not. False: gone. */
  async has({ session, sequence }: RecordName): Promise<boolean> {
    return (await this.#log.getPayload({ session, sequence, attempt: REQUEST })) !== undefined;
  }

  async readResponse(origin: RecordName, attempt: number): Promise<StoredResponse | undefined> {
    const kind = await this.#read(origin, attempt);
    return kind?.case === "response" ? kind.value : undefined;
  }

  async readDetails(origin: RecordName): Promise<Details | undefined> {
    const kind = await this.#read(origin, REQUEST);
    return kind?.case === "details" ? kind.value : undefined;
  }

  /** Forgets what came with these tickets, in turn: a tick may end any number of them. */
  async drop(origins: readonly RecordName[]): Promise<void> {
    for (let at = 0; at < origins.length; at += DROPS) {
      await this.#log.dropPayloads(origins.slice(at, at + DROPS));
    }
  }

  async dropOlderThan(age_ms: number): Promise<void> {
    await this.#log.dropPayloadsOlderThan(age_ms);
  }

  #seal(origin: RecordName, attempt: number, kind: Payload["kind"]): LogPayload {
    const key: PayloadKey = { session: origin.session, sequence: origin.sequence, attempt };
    const plain = toBinary(PayloadSchema, create(PayloadSchema, { kind }));
    return { key, bytes: this.#cipher.seal(key, plain) };
  }

  async #read(origin: RecordName, attempt: number): Promise<Payload["kind"] | undefined> {
    const key: PayloadKey = { session: origin.session, sequence: origin.sequence, attempt };
    const sealed = await this.#log.getPayload(key);
    const plain = sealed && this.#cipher.open(key, sealed);
    return plain && fromBinary(PayloadSchema, plain).kind;
  }
}
