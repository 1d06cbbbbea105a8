// What proves: tokens of tickets, hashes of what identifies callers and requests, and passes, which are real ones, signed
// by a key that these queues alone have.

import {
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";

/** Bytes of a hash that the reducer keeps: of identities, and of what tells requests apart. */
const IDENTITY_BYTES = 16;
const DIGEST_BYTES = 8;

const SECRET_BYTES = 32;

/** What a pass says. */
export interface PassClaims {
  readonly aud: readonly string[];
  /** The ticket's id. */
  readonly sub: string;
  readonly queue: string;
  /** In seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
}

/** The keys that passes are checked with (RFC 7517), as the gateway shows them under `/_usher/jwks.json`. */
export interface PublicKeys {
  readonly keys: readonly {
    readonly kty: "OKP";
    readonly crv: "Ed25519";
    readonly x: string;
    readonly kid: string;
    readonly alg: "EdDSA";
    readonly use: "sig";
  }[];
}

export class Secrets {
  readonly publicKeys: PublicKeys;
  readonly #secret = randomBytes(SECRET_BYTES);
  readonly #signs: KeyObject;
  readonly #verifies: KeyObject;
  readonly #passHead: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { x = "" } = publicKey.export({ format: "jwk" });
    const kid = createHash("sha256")
      .update(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }))
      .digest("base64url");
    this.#signs = privateKey;
    this.#verifies = publicKey;
    this.#passHead = encoded({ alg: "EdDSA", typ: "usher-pass+jwt", kid });
    this.publicKeys = { keys: [{ kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" }] };
  }

  /** The token of a ticket. */
  token(ticket: string): string {
    return `${Buffer.from(ticket).toString("base64url")}.${this.#hash("token", [ticket]).toString("base64url")}`;
  }

  /** The id of a token's ticket; absent: it is no token of these queues. */
  ticketOf(token: string): string | undefined {
    const ticket = Buffer.from(token.split(".")[0] ?? "", "base64url").toString();
    return this.token(ticket) === token ? ticket : undefined;
  }

  /** Of what belongs together: a key and its caller, a subject and its queue. */
  identity(purpose: string, parts: readonly string[]): Uint8Array {
    return this.#hash(purpose, parts).subarray(0, IDENTITY_BYTES);
  }

  /** Of what was asked for: equal for a retry. */
  digest(parts: readonly string[]): Uint8Array {
    return this.#hash("request", parts).subarray(0, DIGEST_BYTES);
  }

  pass({ aud, sub, queue, iat, exp, jti }: PassClaims): string {
    const text = `${this.#passHead}.${encoded({ iss: "usher", aud, sub, queue, iat, exp, jti })}`;
    return `${text}.${sign(null, Buffer.from(text), this.#signs).toString("base64url")}`;
  }

  /** The ticket's id in a pass; absent: it is no pass of these queues. */
  subjectOf(pass: string): string | undefined {
    const [head, payload = "", signature = ""] = pass.split(".");
    const isOurs =
      head === this.#passHead &&
      verify(null, Buffer.from(`${head}.${payload}`), this.#verifies, Buffer.from(signature, "base64url"));
    if (!isOurs) return undefined;
    const claims: Pick<PassClaims, "sub"> = JSON.parse(Buffer.from(payload, "base64url").toString());
    return claims.sub;
  }

  #hash(purpose: string, parts: readonly string[]): Buffer {
    return createHmac("sha256", this.#secret)
      .update(JSON.stringify([purpose, ...parts]))
      .digest();
  }
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
