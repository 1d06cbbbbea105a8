// What a pass says, and what is wrong with one that does not count. The tokens themselves: docs/passes.md.

import { type CompactJWSHeaderParameters, errors, type JWTPayload, jwtVerify } from "jose";
import { UsherError } from "../errors.ts";
import type { FindKey } from "./keys.ts";

/** A pass that counts. */
export interface Pass {
  /** Names the ticket for ever: `<queue>:<epoch>:<number>`; what a backend completes when its holder has finished. */
  readonly ticketId: string;
  readonly queue: string;
  /** The n-th ticket of the queue has number n. */
  readonly number: number;
  /** The end of the session, unless it is extended: then the gateway gives out another pass for the same ticket. */
  readonly expiresAt: Date;
}

/** Why a pass does not count.
 * - `missing`: none came.
 * - `malformed`: what came is none: of another form, too long, or several at once.
 * - `untrusted`: signed by none of the keys.
 * - `elsewhere`: of another queue, for another service, or not a pass but another token.
 * - `early`: not good yet.
 * - `expired`: its session is over. */
export type Flaw = "missing" | "malformed" | "untrusted" | "elsewhere" | "early" | "expired";

export interface PassTerms {
  /** The queue that it must be of, or one of several. */
  readonly queue: string | readonly string[];
  /** The service that it must be for: its name in `usher.yaml`. The queue's own name, where Usher forwards nothing to it. */
  readonly audience: string;
  /** Who must have made it; "usher". */
  readonly issuer?: string;
  /** By how much clocks may differ, in seconds, at most 300; 30: for so long after its end the slot of a pass is kept, so
   * that never more are inside than may be. With more, somebody else may have the slot already. */
  readonly clockTolerance?: number;
}

/** The type of the token, in its header. */
const TYPE = "usher-pass+jwt";

/** No gateway makes a longer one, and browsers keep no larger cookie. */
const LENGTH_MAX = 4_096;

/** Three parts in base64url, the last of 64 bytes. */
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]{86}$/;

/** `<queue>:<epoch>:<number>` */
const TICKET_ID = /^([a-z0-9_.-]{1,64}):[^:]{1,64}:([1-9]\d{0,9})$/;

const TOLERANCE_S_MAX = 300;

/** What makes out of a text the pass that it is, or what is wrong with it; rejects with `KeysUnavailable`, or
 * where the keys are of no use. */
export type ReadPass = (text: string) => Promise<Pass | Flaw>;

/** Throws where the terms make no sense. */
export function passReader(terms: PassTerms, findKey: FindKey): ReadPass {
  const { audience, issuer = "usher", clockTolerance = 30 } = terms;
  const queues = queuesOf(terms);
  // Without one, jose would take passes for any service.
  if (typeof audience !== "string" || audience === "")
    throw new UsherError("misused", "audience is missing: it is this service's name in usher.yaml");
  if (!(clockTolerance >= 0 && clockTolerance <= TOLERANCE_S_MAX))
    throw new UsherError(
      "misused",
      `clockTolerance is ${clockTolerance}: it takes 0 to ${TOLERANCE_S_MAX} seconds`,
    );
  const options = {
    algorithms: ["EdDSA"],
    typ: TYPE,
    issuer,
    audience,
    clockTolerance,
    requiredClaims: ["exp", "sub", "queue"],
  };
  return async (text) => {
    if (text.length > LENGTH_MAX || !SHAPE.test(text)) return "malformed";
    try {
      const { payload } = await jwtVerify(
        text,
        (header: CompactJWSHeaderParameters) => named(header.kid, () => findKey(header)),
        options,
      );
      return passIn(payload, queues);
    } catch (error) {
      return flawOf(error);
    }
  };
}

export function queuesOf({ queue }: Pick<PassTerms, "queue">): readonly string[] {
  const queues = typeof queue === "string" ? [queue] : [...(queue ?? [])];
  if (queues.length === 0 || queues.includes("")) throw new UsherError("misused", "queue names no queue");
  return queues;
}

/** A pass says which key it is signed with: no other is tried. */
function named<K>(kid: unknown, find: () => K): K {
  if (typeof kid !== "string" || kid === "") throw new errors.JWKSNoMatchingKey();
  return find();
}

function passIn({ sub = "", exp = 0, queue }: JWTPayload, queues: readonly string[]): Pass | Flaw {
  const [ticketId, ofQueue, number] = TICKET_ID.exec(sub) ?? [];
  if (ticketId === undefined || ofQueue !== queue) return "malformed";
  if (!queues.includes(ofQueue)) return "elsewhere";
  return { ticketId, queue: ofQueue, number: Number(number), expiresAt: new Date(exp * 1000) };
}

/** Throws what is no fault of the pass. */
function flawOf(error: unknown): Flaw {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim === "nbf" ? "early" : "elsewhere";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "untrusted";
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JWKSNoMatchingKey)
    return "untrusted";
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return "malformed";
  if (error instanceof errors.JOSENotSupported) return "malformed";
  throw error;
}
