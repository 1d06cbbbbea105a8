// Stored requests and answers on their way: what this node took or received a moment ago is still in memory, and
// need not be read back and decrypted. Bounded in bytes; what is not here is read from the log's store.

import type { StoredRequest, StoredResponse } from "@usher/protocol/payload";
import type { Replica, TicketOrigin } from "@usher/replica";

/** Bytes of bodies kept for each of the two. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** Idempotency keys that are remembered, the latest asked for; 50,000, of which each takes about 200 bytes. */
const KEYS_MAX = 50_000;

/** What an entry takes beside its body, about. */
const ENTRY_BYTES = 1_024;

export class Requests {
  readonly #replica: Replica;
  /** When full, a newcomer is not kept: those who are there have their turn first. */
  readonly #requests = new Kept<StoredRequest>("newest");
  /** When full, the oldest goes: an answer is collected soon or not at all. */
  readonly #responses = new Kept<StoredResponse>("oldest");
  readonly #keys = new Map<string, string>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** A request that was stored with a ticket. */
  took(origin: TicketOrigin, request: StoredRequest): void {
    this.#requests.add(nameOf(origin, 0), request);
  }

  /** A request that will not be sent (again): it left, expired, was answered or given up. */
  forget(origin: TicketOrigin): void {
    this.#requests.delete(nameOf(origin, 0));
  }

  /** An answer that is about to be stored. */
  answered(origin: TicketOrigin, attempt: number, response: StoredResponse): void {
    this.#responses.add(nameOf(origin, attempt), response);
  }

  /** Absent: gone. */
  async read(origin: TicketOrigin): Promise<StoredRequest | undefined> {
    return this.#requests.get(nameOf(origin, 0)) ?? this.#replica.payloads.readRequest(origin);
  }

  /** The idempotency key that the service is given with a request: its sender's own, or Usher's. Asked for with each
   * look at a ticket, and so not read anew each time. Absent: the request is gone. */
  async keyOf(origin: TicketOrigin): Promise<string | undefined> {
    const name = nameOf(origin, 0);
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const request = await this.read(origin);
    const header = request?.headers.find(({ name }) => name.toLowerCase() === "idempotency-key");
    if (header === undefined) return undefined;
    const key = Buffer.from(header.value).toString("latin1");
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= KEYS_MAX && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(name, key);
    return key;
  }

  /** Absent: gone. */
  async readResponse(origin: TicketOrigin, attempt: number): Promise<StoredResponse | undefined> {
    return (
      this.#responses.get(nameOf(origin, attempt)) ?? this.#replica.payloads.readResponse(origin, attempt)
    );
  }
}

class Kept<Message extends { readonly body: Uint8Array }> {
  readonly #drop: "newest" | "oldest";
  readonly #byName = new Map<string, Message>();
  #bytes = 0;

  constructor(drop: "newest" | "oldest") {
    this.#drop = drop;
  }

  get(name: string): Message | undefined {
    return this.#byName.get(name);
  }

  add(name: string, message: Message): void {
    this.delete(name);
    const bytes = sizeOf(message);
    if (this.#drop === "newest" && this.#bytes + bytes > KEPT_BYTES_MAX) return;
    this.#byName.set(name, message);
    this.#bytes += bytes;
    for (const oldest of this.#byName.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX) return;
      this.delete(oldest);
    }
  }

  delete(name: string): void {
    const message = this.#byName.get(name);
    if (message === undefined) return;
    this.#byName.delete(name);
    this.#bytes -= sizeOf(message);
  }
}

function sizeOf(message: { readonly body: Uint8Array }): number {
  return message.body.length + ENTRY_BYTES;
}

function nameOf(origin: TicketOrigin, attempt: number): string {
  return `${origin.session}/${origin.sequence}/${attempt}`;
}
