// What is kept of a request: the keys under which it is one, and its ticket; across reloads, where there is a storage.

import { randomKey } from "../client/keys.ts";
import { UsherError } from "../errors.ts";
import { isTicket } from "./answers.ts";
import type { Repeatable } from "./request.ts";

/** As `localStorage` and `sessionStorage` have it. */
export interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A request, while it is under way. */
export interface Entry {
  /** What makes it one request, and its sender one visitor. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where its place in the line is looked at; absent where it has none yet. */
  readonly ticket: string | undefined;
  keep(ticket: string): void;
  /** Its place is not needed any more; the request is. */
  drop(): void;
  /** It has been answered. */
  close(): void;
}

interface Kept {
  readonly key?: string | undefined;
  readonly ticket?: string | undefined;
  /** When it was kept, in milliseconds of the wall clock. */
  readonly at: number;
}

const PREFIX = "usher:";

/** What nobody has come back for in so many milliseconds is forgotten; a day. So is what would be of a later day yet: the
 * clock was wrong. */
const KEPT_MS = 24 * 60 * 60 * 1000;

export class Memory {
  readonly #storage: Storage | undefined;
  readonly #onFault: ((error: unknown) => void) | undefined;
  /** By origin, where there is no storage, or none that works. */
  readonly #visitors = new Map<string, string>();

  constructor(storage: Storage | undefined, onFault: ((error: unknown) => void) | undefined) {
    this.#storage = storage;
    this.#onFault = onFault;
  }

  /** `redirects`: how many led to it. One that leads to itself is made once more there. */
  async open(request: Repeatable, redirects: number): Promise<Entry> {
    const name = this.#storage && (await this.#nameOf(request, redirects));
    const read = () => (name === undefined ? undefined : this.#read(name));
    const kept = read();
    const key = request.isSafe ? undefined : (request.key ?? kept?.key ?? randomKey());
    // Not another that is just like it, and was begun when another page had this one's answer.
    const isOurs = () => (read()?.key ?? key) === key;
    const keep = (ticket?: string): void => {
      if (name !== undefined && isOurs()) this.#write(name, JSON.stringify({ key, ticket, at: Date.now() }));
    };
    const remove = (): void => {
      if (isOurs()) this.#remove(name);
    };
    if (key !== undefined && kept === undefined) keep();
    return {
      headers: {
        "usher-visitor": this.#visitor(request.origin),
        ...(key !== undefined && { "idempotency-key": key }),
      },
      ticket: kept?.ticket !== undefined && isTicketOf(kept.ticket, request.origin) ? kept.ticket : undefined,
      keep,
      drop: () => (key === undefined ? remove() : keep()),
      close: remove,
    };
  }

  async #nameOf(request: Repeatable, redirects: number): Promise<string | undefined> {
    const digest = await request.digest();
    if (digest !== undefined) return `${PREFIX}request:${digest}${redirects === 0 ? "" : `:${redirects}`}`;
    const what =
      "no request is remembered across reloads: the page is not secure (https), so it has no digests";
    this.#onFault?.(new UsherError("misused", what));
    return undefined;
  }

  /** One for an origin, so that whoever it is has one place in a line. */
  #visitor(origin: string): string {
    const name = `${PREFIX}visitor:${origin}`;
    const known = this.#get(name) ?? this.#visitors.get(origin);
    if (known !== undefined && /^[\w-]{22}$/.test(known)) return known;
    const made = randomKey();
    this.#visitors.set(origin, made);
    this.#write(name, made);
    return made;
  }

  #read(name: string): Kept | undefined {
    try {
      const kept: unknown = JSON.parse(this.#get(name) ?? "null");
      return isKept(kept) && Math.abs(Date.now() - kept.at) < KEPT_MS ? kept : undefined;
    } catch {
      return undefined;
    }
  }

  #get(name: string): string | undefined {
    return this.#tried(() => this.#storage?.getItem(name)) ?? undefined;
  }

  #write(name: string, value: string): void {
    this.#tried(() => this.#storage?.setItem(name, value));
  }

  #remove(name: string | undefined): void {
    if (name !== undefined) this.#tried(() => this.#storage?.removeItem(name));
  }

  /** A storage may be full, or denied: then nothing is remembered, and all else goes on. */
  #tried<A>(use: () => A): A | undefined {
    try {
      return use();
    } catch (error) {
      this.#onFault?.(error);
      return undefined;
    }
  }
}

/** Whether it is where a ticket of that origin would be. */
function isTicketOf(url: string, origin: string): boolean {
  return URL.canParse(url) && new URL(url).origin === origin && isTicket(url, origin);
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== "object" || value === null) return false;
  const { key, ticket, at } = value as Record<string, unknown>;
  const isText = (text: unknown) => text === undefined || typeof text === "string";
  return isText(key) && isText(ticket) && typeof at === "number";
}
