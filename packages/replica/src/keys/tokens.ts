// Ticket tokens: what proves that a holder holds a ticket. Tagged, so that they are checked without any state.
//
//   version (1) · epoch (8) · number (4) · as_of (8) · queue's name · tag (16), all in base64url
//
// Any of the deployment's keys may have tagged it; which one is not told, but tried.

import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { inUse, type Keys, madeOf } from "./keys.ts";

const VERSION = 1;
const TAG_BYTES = 16;
const HEAD_BYTES = 21;
const QUEUE_LENGTH_MAX = 64;
/** A longer text is no token, and is not looked at. */
const TOKEN_LENGTH_MAX = Math.ceil(((HEAD_BYTES + QUEUE_LENGTH_MAX + TAG_BYTES) * 4) / 3);

export interface TokenClaims {
  readonly queue: string;
  /** Which life of the queue: `epochOf` its log. */
  readonly epoch: string;
  readonly number: number;
  /** How far into the log the ticket is surely there. */
  readonly as_of: number;
}

interface TagKey {
  readonly key: KeyObject;
  readonly use_from_ms: number;
}

export class Tokens {
  readonly #keys: () => readonly TagKey[];
  readonly #now_ms: () => number;

  constructor(keys: Pick<Keys, "tag">, now_ms: () => number = Date.now) {
    this.#now_ms = now_ms;
    this.#keys = madeOf(
      () => keys.tag,
      (list) => list.map(({ secret, use_from_ms }) => ({ key: createSecretKey(secret), use_from_ms })),
    );
  }

  mint(claims: TokenClaims): string {
    const queue = Buffer.from(claims.queue);
    const body = Buffer.alloc(HEAD_BYTES + queue.length);
    body.writeUInt8(VERSION, 0);
    body.write(claims.epoch, 1, "hex");
    body.writeUInt32BE(claims.number, 9);
    body.writeBigUInt64BE(BigInt(claims.as_of), 13);
    queue.copy(body, HEAD_BYTES);
    return Buffer.concat([body, tagOf(inUse(this.#keys(), this.#now_ms()), body)]).toString("base64url");
  }

  /** Absent: not a token of this deployment, whatever is wrong with it. */
  verify(token: string): TokenClaims | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const bytes = Buffer.from(token, "base64url");
    // One spelling only: Buffer skips what is not base64url, and bits may be left over at the end.
    if (bytes.length <= HEAD_BYTES + TAG_BYTES || bytes.toString("base64url") !== token) return undefined;
    const body = bytes.subarray(0, -TAG_BYTES);
    const tag = bytes.subarray(-TAG_BYTES);
    // The newest has tagged most.
    const ours = this.#keys().findLast((key) => timingSafeEqual(tagOf(key, body), tag));
    if (ours === undefined || body[0] !== VERSION) return undefined;
    return {
      epoch: body.toString("hex", 1, 9),
      number: body.readUInt32BE(9),
      as_of: Number(body.readBigUInt64BE(13)),
      queue: body.toString("utf8", HEAD_BYTES),
    };
  }
}

function tagOf({ key }: TagKey, body: Buffer): Buffer {
  return createHmac("sha256", key).update(body).digest().subarray(0, TAG_BYTES);
}

/** A queue's epoch, as tickets' ids and tokens carry it: 64 bits in hexadecimal. Another log, another epoch. */
export function epochOf(genesis: string, incarnation: number): string {
  return createHash("sha256").update(`${genesis}:${incarnation}`).digest("hex").slice(0, 16);
}
