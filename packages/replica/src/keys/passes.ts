// Passes: what proves, to gateways and to the services themselves, that its holder was admitted. A JWT, signed with
// Ed25519, whose claims are a function of the log: any node mints the same one, as often as it is asked for.
//
//   { alg: "EdDSA", typ: "usher-pass+jwt", kid } ·
//   { iss: "usher", aud: [services], sub: ticket's id, queue, iat, exp, jti: "<ticket's id>.<extensions>" }
//
// That a pass is good says nothing of whether its ticket has ended meanwhile: that is in the fold.

import { sign } from "node:crypto";
import { SETTINGS_BOUNDS } from "@usher/queue";
import { errors, jwtVerify } from "jose";
import type { Place } from "../desk.ts";
import type { Replica } from "../replica.ts";
import { formatTicketId, parseTicketId } from "../rpc/codec.ts";
import { inUse, type Keys, madeOf } from "./keys.ts";
import { type PublicJwk, type SigningKey, signingKey } from "./signing.ts";

export const PASS_TYPE = "usher-pass+jwt";
export const PASS_ISSUER = "usher";

/** A longer text is no pass, and is not looked at. Browsers keep no larger cookie. */
const PASS_LENGTH_MAX = 4_096;

/** Services that a pass names; of the longest names, as many as fit into one. */
const AUDIENCES_MAX = 30;

/** Passes that are remembered as minted, and as many as checked; a signature takes fifty times what a look does. The
 * oldest goes first. Of the usual length, ten thousand are 5 MB. */
const REMEMBERED_MAX = 10_000;

/** How far an end may lie ahead, in seconds: the longest session, and a day for clocks that differ. */
const END_AHEAD_MAX_S = SETTINGS_BOUNDS.session_ms[1] / 1000 + 24 * 60 * 60;

/** base64url; of a signature, one spelling only: in its last character, four bits stand for nothing. */
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]$/;

/** What a good pass says. */
export interface Pass {
  /** The ticket's id. */
  readonly ticket: string;
  readonly queue: string;
  readonly epoch: string;
  readonly number: number;
  /** How often the session had been extended when it was minted. */
  readonly extensions: number;
  readonly audiences: readonly string[];
  /** When the session began, and when it ends: whole seconds, in ms since 1970, by the wall clock of who wrote the
   * record that admitted or extended. */
  readonly issued_ms: number;
  readonly expires_ms: number;
}

/** The names of the services that a queue stands in front of. */
export type Audiences = (queue: string) => readonly string[];

/** What a pass is about. Its wall clock is the one that passes end by. */
export type Issuer = Pick<Replica, "keys" | "clock" | "epoch" | "fold" | "asOf">;

/** What is made of a list of signing keys; with another list, all of it goes. */
interface Prepared {
  readonly keys: readonly (SigningKey & { readonly head: string })[];
  /** By the text before the first dot: nothing that a stranger wrote there is ever read. */
  readonly byHead: ReadonlyMap<string, SigningKey>;
  readonly minted: Remembered<string>;
  readonly checked: Remembered<Pass>;
}

export class Passes {
  readonly #issuer: Issuer;
  readonly #services: Audiences;
  readonly #prepared: () => Prepared;

  constructor(issuer: Issuer, services: Audiences) {
    this.#issuer = issuer;
    this.#services = services;
    this.#prepared = madeOf(() => issuer.keys.signing, prepare);
  }

  /** The holder's pass; absent where there is none: not a pass queue, not admitted, or ended. */
  mint({ queue, view }: Pick<Place, "queue" | "view">): string | undefined {
    const { session } = view;
    if (queue.settings.kind !== "pass" || session === undefined) return undefined;
    const id = formatTicketId({ queue: queue.name, epoch: this.#issuer.epoch(), number: view.number });
    const payload = encoded({
      iss: PASS_ISSUER,
      aud: this.#audiences(queue.name),
      sub: id,
      queue: queue.name,
      iat: Math.floor(session.started_ms / 1000),
      exp: Math.floor((session.started_ms + session.length_ms) / 1000),
      jti: `${id}.${session.extensions}`,
    });
    const { keys, minted } = this.#prepared();
    const key = inUse(keys, this.#issuer.clock.wall_ms());
    const text = `${key.head}.${payload}`;
    // By Node itself, because a status is put together at once, and jose would have it wait.
    const sealed = () => `${text}.${sign(null, Buffer.from(text), key.signs).toString("base64url")}`;
    return minted.get(text) ?? minted.add(text, sealed());
  }

  /** The admitted ticket that the pass proves; absent where it is no good, or its ticket has ended. */
  async held(text: string, queue: string): Promise<Place | undefined> {
    const pass = await this.verify(text, queue);
    if (pass === undefined) return undefined;
    const { fold, asOf } = this.#issuer;
    const found = fold.queue(queue);
    const view = found?.ticket(pass.number);
    return found && view?.state === "admitted" ? { queue: found, view, asOf } : undefined;
  }

  /** What the pass says; absent where it is none of ours, of another queue or life of it, for others than the queue's
   * services, or over. */
  async verify(text: string, queue: string): Promise<Pass | undefined> {
    const { checked, byHead } = this.#prepared();
    const pass = checked.get(text) ?? (await this.#read(text, byHead));
    if (pass === undefined) return undefined;
    checked.add(text, pass);
    const audiences = this.#audiences(queue);
    const good =
      pass.queue === queue &&
      pass.epoch === this.#issuer.epoch() &&
      pass.audiences.some((audience) => audiences.includes(audience)) &&
      pass.expires_ms > this.#issuer.clock.wall_ms();
    return good ? pass : undefined;
  }

  /** The public keys of all that verify, those of them too that do not sign yet. For services that check passes. */
  jwks(): { readonly keys: readonly PublicJwk[] } {
    return { keys: this.#prepared().keys.map(({ jwk }) => jwk) };
  }

  #audiences(queue: string): readonly string[] {
    const services = this.#services(queue);
    return services.length === 0 ? [queue] : services.slice(0, AUDIENCES_MAX);
  }

  async #read(text: string, byHead: Prepared["byHead"]): Promise<Pass | undefined> {
    if (text.length > PASS_LENGTH_MAX || !SHAPE.test(text)) return undefined;
    const key = byHead.get(text.slice(0, text.indexOf(".")));
    if (key === undefined) return undefined;
    const now_ms = this.#issuer.clock.wall_ms();
    try {
      const { payload } = await jwtVerify(text, key.verifies, {
        algorithms: ["EdDSA"],
        typ: PASS_TYPE,
        issuer: PASS_ISSUER,
        currentDate: new Date(now_ms),
      });
      // Whitespace, and members that are there twice, are not ours.
      return encoded(payload) === text.split(".")[1] ? passOf(payload, now_ms) : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

function prepare(list: Keys["signing"]): Prepared {
  const keys = list.map((secret) => {
    const key = signingKey(secret);
    return { ...key, head: encoded({ alg: "EdDSA", typ: PASS_TYPE, kid: key.kid }) };
  });
  return {
    keys,
    byHead: new Map(keys.map((key) => [key.head, key])),
    minted: new Remembered(),
    checked: new Remembered(),
  };
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** Absent: signed, and yet not what is minted here. */
function passOf(claims: Readonly<Record<string, unknown>>, now_ms: number): Pass | undefined {
  const { sub, queue, aud, iat, exp, jti } = claims;
  if (typeof sub !== "string" || typeof jti !== "string" || !isSecond(iat) || !isSecond(exp))
    return undefined;
  const id = parseTicketId(sub);
  const [, extensions] =
    /^\.(0|[1-9][0-9]{0,9})$/.exec(jti.startsWith(sub) ? jti.slice(sub.length) : "") ?? [];
  if (id === undefined || id.queue !== queue || extensions === undefined || !isTexts(aud)) return undefined;
  if (exp <= iat || exp > now_ms / 1000 + END_AHEAD_MAX_S) return undefined;
  return {
    ...id,
    ticket: sub,
    extensions: Number(extensions),
    audiences: aud,
    issued_ms: iat * 1000,
    expires_ms: exp * 1000,
  };
}

function isSecond(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

/** By text, as many as are worth it; the oldest goes first. */
class Remembered<Value> {
  readonly #byText = new Map<string, Value>();

  get(text: string): Value | undefined {
    return this.#byText.get(text);
  }

  add(text: string, value: Value): Value {
    this.#byText.set(text, value);
    const [oldest] = this.#byText.keys();
    if (this.#byText.size > REMEMBERED_MAX && oldest !== undefined) this.#byText.delete(oldest);
    return value;
  }
}
