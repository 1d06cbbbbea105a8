// The one decision that all adapters ask for, and who was let through.

import { UsherError } from "../errors.ts";
import { type KeyOptions, type KeySet, KeysUnavailable, keysFrom } from "./keys.ts";
import { type Flaw, type Pass, type PassTerms, passReader, queuesOf, type ReadPass } from "./pass.ts";
import { type HeaderOf, presented } from "./presented.ts";
import { keysUnavailable, passRequired, type Refusal, type Where } from "./refusal.ts";

export interface GuardOptions extends PassTerms {
  /** Where the gateway shows its public keys, `<gateway>/_usher/jwks.json`; or the keys themselves. */
  readonly jwks: string | URL | KeySet;
  /** Where to wait: the URL, or the path, of a page behind the gateway that has the queue. Browsers are sent there, and
   * programs told of it. It must not lead back here. Default: nobody is sent anywhere. */
  readonly waitAt?: string;
  /** Whether the pass is looked for in Usher's cookies too, after the header `Usher-Pass`; false. For a service that
   * browsers reach directly under the gateway's own host; the gateway hands no cookie of Usher's on. */
  readonly cookie?: boolean;
  /** How keys that are fetched are kept. */
  readonly keys?: KeyOptions;
  /** Told of keys that could not be fetched, also where those of before go on being used: for a log. Must not throw. */
  readonly onFault?: (error: unknown) => void;
}

export class Gate {
  readonly #read: ReadPass;
  readonly #cookie: boolean;
  readonly #where: Where;
  readonly #onFault: (error: unknown) => void;
  readonly #passes = new WeakMap<object, Pass>();

  constructor(options: GuardOptions) {
    const { jwks, waitAt, cookie = false, keys = {}, onFault = () => {} } = options;
    this.#where = { queues: queuesOf(options), ...(waitAt !== undefined && { waitAt: placeOf(waitAt) }) };
    this.#onFault = onFault;
    this.#cookie = cookie;
    this.#read = passReader(options, keysFrom(jwks, keys, onFault));
  }

  /** Why a request is refused; absent where it may go on. `holders`: what its pass is found by, by `passOf`. */
  async check(header: HeaderOf, ...holders: readonly object[]): Promise<Refusal | undefined> {
    let flaw: Flaw = "missing";
    for (const text of presented(header, this.#where.queues, this.#cookie)) {
      const read = await this.#tried(text);
      if (typeof read !== "string") {
        if ("reason" in read) return read;
        for (const holder of holders) this.#passes.set(holder, read);
        return undefined;
      }
      if (flaw === "missing") flaw = read;
    }
    return passRequired(flaw, this.#where);
  }

  passOf(holder: object): Pass {
    const pass = this.#passes.get(holder);
    if (pass !== undefined) return pass;
    throw new UsherError(
      "misused",
      "this did not come through the guard: put the guard before what asks for the pass",
    );
  }

  async #tried(text: string): Promise<Pass | Flaw | Refusal> {
    try {
      return await this.#read(text);
    } catch (error) {
      if (error instanceof KeysUnavailable) return keysUnavailable(error.retryAfter, this.#where);
      // A set with two keys of one name, or with one that is none. Who knows; nobody is let in.
      this.#onFault(error);
      return keysUnavailable(0, this.#where);
    }
  }
}

/** The place as it may stand in a header. */
function placeOf(waitAt: string): string {
  const isPath = /^\/(?![/\\])/.test(waitAt);
  const url = URL.canParse(waitAt, "http://here") ? new URL(waitAt, "http://here") : undefined;
  if (url && isPath) return `${url.pathname}${url.search}${url.hash}`;
  if (url && /^https?:\/\//i.test(waitAt)) return url.href;
  throw new UsherError(
    "misused",
    `waitAt is "${waitAt}"; it takes http(s)://host/path, or a path that begins with /`,
  );
}
