// What proves that somebody was admitted, and that nothing else does: whatever is wrong with a text, the answer is the
// same.

import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { MemoryStore } from "@usher/ticket-log";
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import type { Keys, Place } from "../src/index.ts";
import { signingKey } from "../src/keys/signing.ts";
import { KEYS, only } from "./support/keys.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

const AUDIENCES: Readonly<Record<string, readonly string[]>> = {
  sale: ["shop", "till"],
  other: ["till"],
};
const SESSION_MS = 10 * 60_000;
const KEY = signingKey({ secret: Buffer.alloc(32, 4), use_from_ms: 0 });

let world: World;
let admitted: Place;
/** A pass that is good. */
let good: string;

beforeEach(async () => {
  world = await open();
  await makeQueue(world, "sale");
  await makeQueue(world, "other");
  admitted = await issue(world, "sale");
  good = minted(world, admitted);
});

function open(keys: Keys = KEYS): Promise<World> {
  return openWorld({ keys, audiences: (queue) => AUDIENCES[queue] ?? [] });
}

function minted({ replica }: World, place: Place): string {
  const text = replica.passes.mint(place);
  if (text === undefined) throw new Error("no pass was minted");
  return text;
}

function verify(text: string, queue = "sale") {
  return world.replica.passes.verify(text, queue);
}

describe("a pass", () => {
  it("tells who was admitted where, for whom, and how long", async () => {
    const ticket = `sale:${world.replica.epoch()}:1`;
    expect(await verify(good)).toEqual({
      ...{ ticket, queue: "sale", epoch: world.replica.epoch(), number: 1, extensions: 0 },
      audiences: ["shop", "till"],
      issued_ms: Date.now(),
      expires_ms: Date.now() + SESSION_MS,
    });
    expect(decodeProtectedHeader(good)).toEqual({ alg: "EdDSA", typ: "usher-pass+jwt", kid: KEY.kid });
  });

  it("is checked by anybody who has the public keys alone", async () => {
    const jwks = createLocalJWKSet(structuredClone(world.replica.passes.jwks()) as { keys: [] });
    const { payload } = await jwtVerify(good, jwks, {
      ...{ algorithms: ["EdDSA"], typ: "usher-pass+jwt", issuer: "usher", audience: "till" },
    });
    const ticket = `sale:${world.replica.epoch()}:1`;
    const iat = Date.now() / 1000;
    expect(payload).toEqual({
      ...{ iss: "usher", aud: ["shop", "till"], sub: ticket, queue: "sale", jti: `${ticket}.0` },
      ...{ iat, exp: iat + SESSION_MS / 1000 },
    });
  });

  it("is the same however often it is minted, and on whichever node", async () => {
    expect(minted(world, admitted)).toBe(good);
    const store = new MemoryStore({ shared: true });
    const a = await openWorld({ store, node: "a" });
    await pass(1_000);
    const b = await openWorld({ store, node: "b" });
    await makeQueue(a, "sale");
    const { view } = await issue(a, "sale");
    await turns();
    const seen = b.replica.desk.named(`sale:${a.replica.epoch()}:${view.number}`);
    expect(minted(b, seen)).toBe(minted(a, seen));
  });

  it("is another one after an extension; both are good as long as they say", async () => {
    await pass(SESSION_MS - 60_000);
    const extended = minted(world, await world.replica.desk.extend(admitted));
    expect(await verify(extended)).toMatchObject({ extensions: 1, expires_ms: Date.now() + SESSION_MS });
    expect(await verify(good)).toMatchObject({ extensions: 0 });
    await pass(60_000);
    expect(await verify(good)).toBeUndefined();
    expect(await verify(extended)).toBeDefined();
  });

  it("ends to the second", async () => {
    await pass(SESSION_MS - 10);
    expect(await verify(good)).toBeDefined();
    await pass(10);
    expect(await verify(good)).toBeUndefined();
  });

  it("is for the queue itself where no service stands behind it", async () => {
    await makeQueue(world, "alone");
    const text = minted(world, await issue(world, "alone"));
    expect(await verify(text, "alone")).toMatchObject({ audiences: ["alone"] });
  });

  it("fits into a cookie with the longest names of a queue and its services", async () => {
    const [name, service] = ["q".repeat(64), "s".repeat(62)];
    const wide = await openWorld({
      audiences: () => Array.from({ length: 40 }, (_, n) => `${service}${10 + n}`),
    });
    await makeQueue(wide, name);
    const text = minted(wide, await issue(wide, name));
    expect(text.length + `__Host-usher-pass-${name}=`.length).toBeLessThanOrEqual(4_096);
    expect(await wide.replica.passes.verify(text, name)).toBeDefined();
  });
});

describe("there is no pass", () => {
  it("for who waits, and for who has left or completed", async () => {
    const waiting = await issue(world, "sale");
    expect(world.replica.passes.mint(waiting)).toBeUndefined();
    expect(world.replica.desk.status(waiting).pass).toBe("");
    const ended = await world.replica.desk.complete(admitted);
    expect(world.replica.passes.mint(ended)).toBeUndefined();
  });

  it("in a queue where requests wait", async () => {
    await makeQueue(world, "orders", { kind: "defer" });
    expect(world.replica.passes.mint(await issue(world, "orders"))).toBeUndefined();
  });
});

describe("whoever brings a pass", () => {
  it("holds its ticket until that ends, though the pass is good for longer", async () => {
    expect((await world.replica.passes.held(good, "sale"))?.view).toMatchObject({
      number: 1,
      state: "admitted",
    });
    await world.replica.desk.complete(admitted);
    expect(await verify(good)).toBeDefined();
    expect(await world.replica.passes.held(good, "sale")).toBeUndefined();
  });

  it("holds it as often and as much at once as wanted", async () => {
    const { passes } = world.replica;
    const held = await Promise.all(Array.from({ length: 100 }, () => passes.held(good, "sale")));
    expect(held.every((place) => place?.view.number === 1)).toBe(true);
  });
});

describe("the public keys", () => {
  it("are those of all keys that verify, named by their thumbprints, with nothing private in them", async () => {
    const signing = [...KEYS.signing, { ...only(9)[0]!, id: "next", use_from_ms: Date.now() + 60_000 }];
    const { replica } = await open({ ...KEYS, signing });
    const { keys } = replica.passes.jwks();
    expect(keys).toHaveLength(2);
    for (const [at, key] of keys.entries()) {
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
      expect(key.kid).toBe(await calculateJwkThumbprint({ ...key }));
      expect(JSON.stringify(keys)).not.toContain(signing[at]!.secret.toString("base64url"));
    }
  });
});

type Claims = Record<string, unknown>;

function encoded(part: unknown): string {
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}

/** Signed with our own key, whatever it says. */
function signed(header: unknown, payload: unknown): string {
  return signedText(`${encoded(header)}.${encoded(payload)}`);
}

function signedText(text: string): string {
  return `${text}.${sign(null, Buffer.from(text), KEY.signs).toString("base64url")}`;
}

describe("a text proves nothing", () => {
  const header = { alg: "EdDSA", typ: "usher-pass+jwt", kid: KEY.kid };

  function claims(): Claims {
    return JSON.parse(Buffer.from(good.split(".")[1]!, "base64url").toString());
  }
  const ours = (changes: Claims) => () => signed(header, { ...claims(), ...changes });
  const headed = (changes: Claims) => () => signed({ ...header, ...changes }, claims());
  const parts = () => good.split(".") as [string, string, string];

  it("is said of none that is right: what the table sends is wrong in one thing", async () => {
    expect(signed(header, claims())).toBe(good);
  });

  const pem = createPublicKey(KEY.signs).export({ format: "pem", type: "spki" });
  const raw = Buffer.from(KEY.jwk.x, "base64url");
  const mac = (key: string | Buffer) => {
    const text = `${encoded({ ...header, alg: "HS256" })}.${parts()[1]}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };
  const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const stranger = () => generateKeyPairSync("ed25519").privateKey;
  const byStranger = (changes: Claims) => () =>
    new SignJWT(claims()).setProtectedHeader({ ...header, ...changes }).sign(stranger());
  const jwk = () => createPublicKey(createPrivateKey(stranger().export({ format: "pem", type: "pkcs8" })));

  it.each<[string, () => string | Promise<string>]>([
    ["empty", () => ""],
    ["of no dots", () => "pass"],
    ["of dots alone", () => ".."],
    ["unsigned (alg none)", () => `${encoded({ alg: "none", typ: header.typ })}.${parts()[1]}.`],
    ["unsigned, in other letters (alg nOnE)", () => `${encoded({ ...header, alg: "nOnE" })}.${parts()[1]}.`],
    [
      "unsigned, with the signature of another",
      () => `${encoded({ ...header, alg: "none" })}.${parts()[1]}.${parts()[2]}`,
    ],
    ["with the public key's PEM as a secret (HS256)", () => mac(pem.toString())],
    ["with the public key's bytes as a secret (HS256)", () => mac(raw)],
    ["with the JWK's x as a secret (HS256)", () => mac(KEY.jwk.x)],
    [
      "signed by RSA (RS256)",
      () => new SignJWT(claims()).setProtectedHeader({ ...header, alg: "RS256" }).sign(rsa()),
    ],
    [
      "signed by a curve of NIST (ES256)",
      () => new SignJWT(claims()).setProtectedHeader({ ...header, alg: "ES256" }).sign(ec()),
    ],
    ["signed by a stranger", byStranger({})],
    ["signed by a stranger who brings the key (jwk)", byStranger({ jwk: jwk().export({ format: "jwk" }) })],
    [
      "signed by a stranger who says where the key is (jku)",
      byStranger({ jku: "https://evil.example/jwks.json" }),
    ],
    [
      "signed by a stranger who says where the chain is (x5u)",
      byStranger({ x5u: "https://evil.example/chain.pem" }),
    ],
    ["signed by a stranger of an unknown kid", byStranger({ kid: "stranger" })],
    ["without a kid", headed({ kid: undefined })],
    ["with a kid that is a path", headed({ kid: "../../dev/null" })],
    ["with a kid that is a number", headed({ kid: 1 })],
    ["with a kid that is a property of objects", headed({ kid: "__proto__" })],
    ["with the algorithm's other name (Ed25519)", headed({ alg: "Ed25519" })],
    ["with a header of more (jku)", headed({ jku: "https://evil.example/" })],
    ["with something critical (crit)", headed({ crit: ["exp"], exp: 1 })],
    ["with a payload that is not encoded (b64)", headed({ crit: ["b64"], b64: false })],
    ["of another type (JWT)", headed({ typ: "JWT" })],
    ["of the type with its prefix", headed({ typ: "application/usher-pass+jwt" })],
    ["without a type", headed({ typ: undefined })],
    [
      "with a header twice over",
      () => signedText(`${encoded(`{"alg":"none",${JSON.stringify(header).slice(1)}`)}.${parts()[1]}`),
    ],
    [
      "with whitespace in its header",
      () => signedText(`${encoded(JSON.stringify(header, null, 1))}.${parts()[1]}`),
    ],
    [
      "with a claim twice over",
      () => signedText(`${parts()[0]}.${encoded(`{"exp":9999999999,${JSON.stringify(claims()).slice(1)}`)}`),
    ],
    [
      "with whitespace in its claims",
      () => signedText(`${parts()[0]}.${encoded(JSON.stringify(claims(), null, 1))}`),
    ],
    ["with claims that are a list", () => signed(header, [claims()])],
    ["with claims that are no JSON", () => signed(header, "{")],
    ["of another issuer", ours({ iss: "somebody" })],
    ["of no issuer", ours({ iss: undefined })],
    ["for another audience", ours({ aud: ["bank"] })],
    ["for an audience that is a text", ours({ aud: "shop" })],
    ["for nobody", ours({ aud: [] })],
    ["without an audience", ours({ aud: undefined })],
    ["of another queue", ours({ queue: "other" })],
    ["without a queue", ours({ queue: undefined })],
    ["of another queue's ticket", () => ours({ sub: `${claims().sub}`.replace("sale", "other") })()],
    ["of another epoch", () => ours({ sub: "sale:0123456789abcdef:1", jti: "sale:0123456789abcdef:1.0" })()],
    ["of a ticket that is none", ours({ sub: "1" })],
    ["without a ticket", ours({ sub: undefined })],
    ["with another ticket's jti", () => ours({ jti: `sale:${world.replica.epoch()}:2.0` })()],
    ["with a jti of no extensions", () => ours({ jti: `${claims().sub}` })()],
    ["without a jti", ours({ jti: undefined })],
    ["over", () => ours({ exp: Date.now() / 1000, iat: Date.now() / 1000 - 600 })()],
    ["without an end", ours({ exp: undefined })],
    ["with an end that is a text", () => ours({ exp: `${claims().exp}` })()],
    ["with an end of half a second", () => ours({ exp: Number(claims().exp) + 0.5 })()],
    ["that never ends", ours({ exp: Number.MAX_SAFE_INTEGER })],
    [
      "that ends beyond all numbers",
      () =>
        signedText(`${parts()[0]}.${encoded(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e400'))}`),
    ],
    ["that ends in a month", () => ours({ exp: Number(claims().exp) + 30 * 24 * 3_600 })()],
    ["that ended before 1970", ours({ exp: -1 })],
    ["without a beginning", ours({ iat: undefined })],
    ["with a beginning that is null", ours({ iat: null })],
    ["that begins after its end", () => ours({ iat: Number(claims().exp) + 1 })()],
    ["that is not good yet (nbf)", () => ours({ nbf: Number(claims().exp) - 1 })()],
    ["without its signature", () => parts().slice(0, 2).join(".")],
    ["with an empty signature", () => `${parts().slice(0, 2).join(".")}.`],
    ["with one part more", () => `${good}.${parts()[2]}`],
    ["with five parts, as if encrypted", () => [...parts(), ...parts()].slice(0, 5).join(".")],
    ["twice over", () => good + good],
    ["without its last character", () => good.slice(0, -1)],
    ["without its first character", () => good.slice(1)],
    ["with a character more", () => `${good}A`],
    ["with a space before it", () => ` ${good}`],
    ["with a line's end", () => `${good}\n`],
    ["with a space in it", () => good.replace(".", " .")],
    ["as a header has it (Bearer)", () => `Bearer ${good}`],
    ["padded", () => `${good}==`],
    [
      "in the other base64",
      () =>
        parts()
          .map((part) => Buffer.from(part, "base64url").toString("base64"))
          .join("."),
    ],
    [
      "with bits left over in its signature",
      () => good.slice(0, -1) + String.fromCharCode(good.charCodeAt(good.length - 1) + 1),
    ],
    ["with a signature of zeros", () => `${parts().slice(0, 2).join(".")}.${"A".repeat(86)}`],
    [
      "as JSON (flattened)",
      () => JSON.stringify({ protected: parts()[0], payload: parts()[1], signature: parts()[2] }),
    ],
    ["in Korean", () => "통행권"],
    ["of a mebibyte", () => "A".repeat(1024 * 1024)],
    ["of a mebibyte of dots", () => ".".repeat(1024 * 1024)],
    ["of a mebibyte of claims", () => signed(header, { ...claims(), more: "A".repeat(1024 * 1024) })],
  ])("%s", async (_, text) => {
    expect(await verify(await text())).toBeUndefined();
    expect(await verify(good)).toBeDefined();
  });

  it("with one bit changed anywhere", async () => {
    for (const [at, part] of parts().entries()) {
      const bytes = Buffer.from(part, "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit += 3) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const text = parts().with(at, changed.toString("base64url")).join(".");
        expect(await verify(text), `part ${at}, bit ${bit}`).toBeUndefined();
      }
    }
  });

  it("at another queue of the same service, though it is good at its own", async () => {
    expect(await verify(good, "other")).toBeUndefined();
    expect(await verify(good, "none")).toBeUndefined();
    expect(await verify(good)).toBeDefined();
  });

  it("at another log, though it has the same keys", async () => {
    const elsewhere = await open();
    await makeQueue(elsewhere, "sale");
    await issue(elsewhere, "sale");
    expect(await elsewhere.replica.passes.verify(good, "sale")).toBeUndefined();
  });
});
