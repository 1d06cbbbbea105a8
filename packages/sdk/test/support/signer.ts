// Somebody who signs passes with keys of their own, and shows these as a gateway does, or as it should not.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from "jose";
import { type Guarded, listening } from "./guarded.ts";

/** An extension of tokens that is this signer's own (RFC 7515, 4.1.11). */
export const EXTENSION = "urn:example:extension";

type Key = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];

export class Signer {
  /** The public key, as the gateway shows it. */
  readonly jwk: JWK;
  readonly #key: Key;

  private constructor(jwk: JWK, key: Key) {
    this.jwk = jwk;
    this.#key = key;
  }

  static async make(kid: string): Promise<Signer> {
    const { publicKey, privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
    const { kty, crv, x } = await exportJWK(publicKey);
    return new Signer({ kty, crv, x, kid, alg: "EdDSA", use: "sig" } as JWK, privateKey);
  }

  /** A good pass, but for what is given; what is undefined is left out. */
  pass(claims: JWTPayload = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    const now_s = Math.floor(Date.now() / 1000);
    const payload = {
      iss: "usher",
      aud: ["shop", "till"],
      sub: "concert:93ed43aa76cb7a52:57",
      queue: "concert",
      iat: now_s,
      exp: now_s + 600,
      jti: "concert:93ed43aa76cb7a52:57.0",
      ...claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: "EdDSA", typ: "usher-pass+jwt", kid: this.jwk.kid, ...header })
      .sign(this.#key, { crit: { [EXTENSION]: true } });
  }
}

type Show = (res: ServerResponse, req: IncomingMessage) => void;

/** Shows keys. What it does can be changed, and how often it was asked is counted. */
export class Shower implements AsyncDisposable {
  readonly url: string;
  asked = 0;
  show: Show;
  readonly #server: Guarded;

  private constructor(server: Guarded, show: Show) {
    this.#server = server;
    this.url = `${server.url}/_usher/jwks.json`;
    this.show = show;
  }

  static async start(...signers: readonly Signer[]): Promise<Shower> {
    const server = createServer((req, res) => {
      shower.asked++;
      shower.show(res, req);
    });
    const shower: Shower = new Shower(await listening(server), keysOf(...signers));
    return shower;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

export function keysOf(...signers: readonly Pick<Signer, "jwk">[]): Show {
  return (res) => {
    res.setHeader("content-type", "application/jwk-set+json");
    res.end(JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }));
  };
}
