// What a pass is signed with: Ed25519, from a seed that the keys' file holds.

import { createHash, createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from "node:crypto";
import type { Secret } from "./keys.ts";

/** PKCS #8's frame around an Ed25519 seed (RFC 8410, section 7). */
const SEED_FRAME = Buffer.from("302e020100300506032b657004220420", "hex");

/** A public key as others read it (RFC 8037). No private member has a place in it. */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly alg: "EdDSA";
  readonly use: "sig";
}

export interface SigningKey {
  /** The RFC 7638 thumbprint of its public part. */
  readonly kid: string;
  readonly signs: KeyObject;
  readonly verifies: webcrypto.CryptoKey;
  readonly jwk: PublicJwk;
  readonly use_from_ms: number;
}

export function signingKey({ secret, use_from_ms }: Pick<Secret, "secret" | "use_from_ms">): SigningKey {
  const signs = privateKey(secret);
  const verifier = createPublicKey(signs);
  const x = publicPart(verifier);
  const kid = thumbprint(x);
  return {
    kid,
    signs,
    verifies: verifier.toCryptoKey("Ed25519", true, ["verify"]),
    jwk: { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" },
    use_from_ms,
  };
}

/** How passes name the key of a seed. */
export function kidOf(secret: Buffer): string {
  return thumbprint(publicPart(createPublicKey(privateKey(secret))));
}

function privateKey(secret: Buffer): KeyObject {
  const der = Buffer.concat([SEED_FRAME, secret]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function publicPart(key: KeyObject): string {
  return key.export({ format: "jwk" }).x ?? "";
}

function thumbprint(x: string): string {
  const members = JSON.stringify({ crv: "Ed25519", kty: "OKP", x });
  return createHash("sha256").update(members).digest("base64url");
}
