// Stored requests and answers on their way: what this node took or received a moment ago is still in memory, and
// need not be read back and decrypted. Bounded in bytes; what is not here is read from the log's store.

import type { StoredRequest, StoredResponse } from "@usher/protocol/payload";
import type { Replica, TicketOrigin } from "@usher/replica";

/** Bytes of bodies kept for each of the two. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** Idempotency keys that are remembered, the latest; 50,000, of which each takes 200 bytes as a rule and 500 at most. */
const KEYS_MAX = 50_000;

/** What an entry takes beside its body, its target and its headers, about. */
const ENTRY_BYTES = 1_024;

/** What a header takes beside its name and its value, about: two objects and a place in a list. */
const HEADER_BYTES = 200;

/** Keys that are told: those that a header can carry, and that are no longer than a ticket's may be. Another goes to the
 * service alone. */
const TOLD = /^[\x20-\x7e]{1,255}$/;

export class Requests {
  readonly #replica: Replica;
  /** When full, a newcomer is not kept: those who are there have their turn first. */
  readonly #requests = new Kept<StoredRequest>("newest");
  /** When full, the oldest goes: an answer is collected soon or not at all. */
  readonly #responses = new Kept<StoredResponse>("oldest");
  /** By request; undefined where it cannot be told. */
  readonly #keys = new Map<string, string | undefined>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** A request that was stored with a ticket. */
  took(origin: TicketOrigin, request: StoredRequest): void {
    this.#requests.add(nameOf(origin, 0), request);
    this.#remember(nameOf(origin, 0), request);
  }

  /** A request that will not be sent (again): it left, expired, was answered or given up. `sent`: its key may still be
   * asked for. */
  forget(origin: TicketOrigin, sent: boolean): void {
    this.#requests.delete(nameOf(origin, 0));
    if (!sent) this.#keys.delete(nameOf(origin, 0));
  }

  /** An answer that is about to be stored. */
  answered(origin: TicketOrigin, attempt: number, response: StoredResponse): void {
    this.#responses.add(nameOf(origin, attempt), response);
  }

  /** Absent: gone. */
  async read(origin: TicketOrigin): Promise<StoredRequest | undefined> {
    return this.#requests.get(nameOf(origin, 0)) ?? this.#replica.payloads.readRequest(origin);
  }

  /** The idempotency key of a request that this node took or looked up a while ago. Absent: not in memory, or it
   * cannot be told. */
  knownKey(origin: TicketOrigin): string | undefined {
    return this.#keys.get(nameOf(origin, 0));
  }

  /** The same, read from the log's store where it is not in memory. Absent: the request is gone too. */
  async keyOf(origin: TicketOrigin): Promise<string | undefined> {
    const name = nameOf(origin, 0);
    if (this.#keys.has(name)) return this.#keys.get(name);
    const request = await this.read(origin);
    return request && this.#remember(name, request);
  }

  /** Absent: gone. */
  async readResponse(origin: TicketOrigin, attempt: number): Promise<StoredResponse | undefined> {
    return (
      this.#responses.get(nameOf(origin, attempt)) ?? this.#replica.payloads.readResponse(origin, attempt)
    );
  }

  #remember(name: string, request: StoredRequest): string | undefined {
    const key = keyIn(request);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= KEYS_MAX && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(name, key);
    return key;
  }
}

/** The idempotency key that the service is given with a request: its sender's own, or Usher's. Absent: it cannot be
 * told. */
export function keyIn({ headers }: StoredRequest): string | undefined {
  const header = headers.find(({ name }) => name.toLowerCase() === "idempotency-key");
  const key = header && Buffer.from(header.value).toString("latin1");
  return key !== undefined && TOLD.test(key) ? key : undefined;
}

/** What of a message takes room. */
interface Sized {
  readonly body: Uint8Array;
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array }[];
  readonly target?: string;
}

class Kept<Message extends Sized> {
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

function sizeOf({ body, headers, target = "" }: Sized): number {
  let bytes = ENTRY_BYTES + body.length + target.length;
  for (const { name, value } of headers) bytes += HEADER_BYTES + name.length + value.length;
  return bytes;
}

function nameOf(origin: TicketOrigin, attempt: number): string {
  return `${origin.session}/${origin.sequence}/${attempt}`;
}
