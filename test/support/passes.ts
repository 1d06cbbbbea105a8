// Passes that nobody was given: made with the node's own keys, or with those of somebody else.

import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseKeys } from "@usher/replica";
import type { Usher } from "./usher.ts";

export type Part = Readonly<Record<string, unknown>>;

/** What is before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

export function encoded(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** What stands in one part of a pass. */
function decoded(pass: string, part: 0 | 1): Part {
  return JSON.parse(Buffer.from(pass.split(".")[part] ?? "", "base64url").toString()) as Part;
}

export class Forger {
  /** A pass that is good, whose parts it takes. */
  readonly pass: string;
  readonly header: Part;
  readonly claims: Part;
  /** The public key that passes are checked with. */
  readonly verifies: KeyObject;
  readonly #signs: KeyObject;

  private constructor(pass: string, signs: KeyObject) {
    this.pass = pass;
    this.header = decoded(pass, 0);
    this.claims = decoded(pass, 1);
    this.#signs = signs;
    this.verifies = createPublicKey(signs);
  }

  /** Has the keys that the node signs with. */
  static async of(usher: Usher, pass: string): Promise<Forger> {
    const file = join(usher.data, "usher.keys.json");
    const [key] = parseKeys(await readFile(file, "utf8"), file).signing;
    if (key === undefined) throw new Error(`${file} has no key to sign with`);
    const der = Buffer.concat([PKCS8, key.secret]);
    return new Forger(pass, createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  }

  /** Signed with the node's own key, whatever it says. Without changes, it is the good one. */
  signed(header: Part = {}, claims: Part = {}): string {
    const text = this.unsigned(header, claims);
    return `${text}.${sign(null, Buffer.from(text), this.#signs).toString("base64url")}`;
  }

  /** Header and claims, with changes; what is undefined is left out. */
  unsigned(header: Part = {}, claims: Part = {}): string {
    return `${encoded({ ...this.header, ...header })}.${encoded({ ...this.claims, ...claims })}`;
  }
}
