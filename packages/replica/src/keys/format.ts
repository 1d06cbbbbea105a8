// The text of a keys' file. Read strictly: a field that is misspelled, or a key that is half there, is a mistake that
// would show only when somebody's token is refused.
//
//   { "version": 2,
//     "hash": "<secret>",
//     "tag":        [{ "id": "first", "secret": "<secret>", "use_from": "1970-01-01T00:00:00.000Z" }],
//     "encryption": [ … ], "signing": [ … ],
//     "api_keys":   [{ "id": "default", "key": "usher_…" }] }
//
// A secret is 32 bytes in base64url. Version 1 had one secret of each kind, and none to sign with.

import { hkdfSync } from "node:crypto";
import {
  API_KEYS_MAX,
  type ApiKey,
  firstSigning,
  type Keys,
  KeysError,
  ROTATED,
  SECRET_BYTES,
  SECRETS_MAX,
  type Secret,
} from "./keys.ts";

const VERSION = 2;

/** What may stand in a token's or a payload's head, and on a command line. */
const ID = /^[A-Za-z0-9._-]{1,64}$/;
const ID_WANTED = "1 to 64 of A-Z a-z 0-9 . _ -";

/** An API key is a header's value. 22 characters of base64url are 128 bits. */
const API_KEY = /^[\x21-\x7e]{22,1024}$/;

/** 32 bytes are 43 characters, of which the last has two bits that stand for nothing. */
const SECRET = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** What the id of a version 1 file's only key is: the same on every node. */
const FIRST = "first";

type Fields = Readonly<Record<string, unknown>>;

/** Whether it will do as a key's or a caller's name. */
export function isKeyId(text: string): boolean {
  return ID.test(text);
}

/** The keys of a file's text. Throws a `KeysError` that names the file, the field, and what to do. */
export function parseKeys(text: string, file: string): Keys {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new KeysError(`${file}: not a keys' file: it is not JSON. Put the right file there, or name it`);
  }
  return new KeysReader(file).keys(content);
}

export function formatKeys(keys: Keys): string {
  const list = (secrets: readonly Secret[]) =>
    secrets.map(({ id, secret, use_from_ms }) => ({
      id,
      secret: secret.toString("base64url"),
      use_from: new Date(use_from_ms).toISOString(),
    }));
  const file = {
    version: VERSION,
    hash: keys.hash.toString("base64url"),
    tag: list(keys.tag),
    encryption: list(keys.encryption),
    signing: list(keys.signing),
    api_keys: keys.api_keys,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

class KeysReader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  keys(content: unknown): Keys {
    const fields = isObject(content) ? content : {};
    if (fields.version === 1) return this.#versionOne(fields);
    if (fields.version !== VERSION)
      throw this.#wrong(
        `not a keys' file of version 1 or ${VERSION}: "version" is ${JSON.stringify(fields.version) ?? "absent"}. ` +
          "Put the right file there; one of a newer version wants a newer Usher",
      );
    this.#only(fields, ["version", "hash", ...ROTATED, "api_keys"], "");
    return {
      hash: this.#secret(fields.hash, "hash"),
      tag: this.#secrets(fields.tag, "tag"),
      encryption: this.#secrets(fields.encryption, "encryption"),
      signing: this.#secrets(fields.signing, "signing"),
      api_keys: this.#apiKeys(fields.api_keys),
    };
  }

  #versionOne(fields: Fields): Keys {
    this.#only(fields, ["version", "hash", "tag", "encryption", "api_keys"], "");
    const [hash, tag, encryption] = [
      this.#secret(fields.hash, "hash"),
      this.#secret(fields.tag, "tag"),
      this.#secret(fields.encryption, "encryption"),
    ];
    const all = Buffer.concat([hash, tag, encryption]);
    const signing = Buffer.from(hkdfSync("sha256", all, "", "usher: the signing key", SECRET_BYTES));
    const first = (secret: Buffer): Secret[] => [{ id: FIRST, secret, use_from_ms: 0 }];
    return {
      hash,
      tag: first(tag),
      encryption: first(encryption),
      signing: [firstSigning(signing)],
      api_keys: this.#apiKeys(fields.api_keys),
    };
  }

  #secrets(value: unknown, name: string): Secret[] {
    const list = this.#list(value, name, SECRETS_MAX);
    if (list.length === 0) throw this.#wrong(`"${name}" has no key; one at least has to be there`);
    const secrets = list.map((entry, at) => this.#listed(entry, `${name}[${at}]`));
    this.#unlike(secrets, ({ id }) => id, `${name}: two keys have one id`);
    this.#unlike(secrets, ({ secret }) => secret.toString("hex"), `${name}: two keys have one secret`);
    return secrets;
  }

  #listed(entry: unknown, name: string): Secret {
    const fields = this.#object(entry, name, ["id", "secret", "use_from"]);
    return {
      id: this.#id(fields.id, `${name}.id`),
      secret: this.#secret(fields.secret, `${name}.secret`),
      use_from_ms: this.#time(fields.use_from, `${name}.use_from`),
    };
  }

  #apiKeys(value: unknown): ApiKey[] {
    const list = this.#list(value, "api_keys", API_KEYS_MAX).map((entry, at) =>
      this.#apiKey(entry, `api_keys[${at}]`),
    );
    this.#unlike(list, ({ id }) => id, "api_keys: two keys have one id");
    this.#unlike(list, ({ key }) => key, "api_keys: two ids have one key");
    return list;
  }

  #apiKey(entry: unknown, name: string): ApiKey {
    const { id, key, caller } = this.#object(entry, name, ["id", "key", "caller"]);
    if (typeof key !== "string" || !API_KEY.test(key))
      throw this.#wrong(
        `"${name}.key" is not a key of 22 to 1,024 printable characters; usher keys rotate api makes one`,
      );
    const named = { id: this.#id(id, `${name}.id`), key };
    return caller === undefined ? named : { ...named, caller: this.#id(caller, `${name}.caller`) };
  }

  #secret(value: unknown, name: string): Buffer {
    if (typeof value === "string" && SECRET.test(value)) return Buffer.from(value, "base64url");
    throw this.#wrong(
      `"${name}" is not ${SECRET_BYTES} bytes of base64url (43 characters); restore it from a copy of the file`,
    );
  }

  #id(value: unknown, name: string): string {
    if (typeof value === "string" && isKeyId(value)) return value;
    throw this.#wrong(`"${name}" is not an id; give ${ID_WANTED}`);
  }

  #time(value: unknown, name: string): number {
    const time_ms = typeof value === "string" && value.endsWith("Z") ? Date.parse(value) : Number.NaN;
    if (Number.isInteger(time_ms)) return time_ms;
    throw this.#wrong(`"${name}" is not a time such as "2026-11-22T08:00:00Z"; give one`);
  }

  #list(value: unknown, name: string, most: number): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#wrong(`"${name}" is not a list; put [ … ] there`);
    if (value.length <= most) return value;
    throw this.#wrong(
      `"${name}" has ${value.length} keys, which is more than ${most}; usher keys prune removes old ones`,
    );
  }

  #object(value: unknown, name: string, known: readonly string[]): Fields {
    if (!isObject(value))
      throw this.#wrong(
        `"${name}" is not an object; put { ${known.map((field) => `"${field}"`).join(", ")} } there`,
      );
    this.#only(value, known, `${name}.`);
    return value;
  }

  #only(fields: Fields, known: readonly string[], path: string): void {
    const stranger = Object.keys(fields).find((name) => !known.includes(name));
    if (stranger !== undefined)
      throw this.#wrong(
        `"${path}${stranger}" is not a field of a keys' file; take it out, or spell it as one of ${known.join(", ")}`,
      );
  }

  #unlike<Entry>(list: readonly Entry[], by: (entry: Entry) => string, words: string): void {
    if (new Set(list.map(by)).size < list.length) throw this.#wrong(`${words}; take one of the two out`);
  }

  #wrong(words: string): KeysError {
    return new KeysError(`${this.#file}: ${words}`);
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
