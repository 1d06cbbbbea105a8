// What the guard takes for a pass, and what not: tokens of every wrong kind, from every place in a request.

import { createHmac, createPublicKey } from "node:crypto";
import { connect } from "node:net";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { createGuard, type GuardOptions } from "../src/guard.ts";
import { nodeHttp } from "./support/guarded.ts";
import { EXTENSION, Signer } from "./support/signer.ts";

const signer = await Signer.make("first");
const stranger = await Signer.make("first");
const second = await Signer.make("second");
const rsa = await generateKeyPair("RS256", { extractable: true });
const rsaJwk: JWK = { ...(await exportJWK(rsa.publicKey)), kid: "rsa", alg: "RS256" };
const JWKS = { keys: [rsaJwk, signer.jwk, second.jwk] };
const TERMS = { jwks: JWKS, queue: "concert", audience: "shop" } satisfies GuardOptions;
const guard = createGuard(TERMS);
const now_s = (): number => Math.floor(Date.now() / 1000);

type Given = Readonly<Record<string, string | readonly string[]>>;

/** What is wrong with a request that has these headers; "nothing" where it is let in. */
async function flawOf(headers: Given, by = guard): Promise<string> {
  const refusal = await by.check((name) => headers[name]);
  return refusal === undefined ? "nothing" : (refusal.flaw ?? refusal.reason);
}

const flawOfPass = async (pass: string | Promise<string>, by = guard) =>
  flawOf({ "usher-pass": await pass }, by);

it("a good pass is let in, and says whose it is and until when", async () => {
  const exp = now_s() + 60;
  const holder = {};
  const pass = await signer.pass({ exp });
  expect(await guard.check((name) => (name === "usher-pass" ? pass : null), holder)).toBeUndefined();
  expect(guard.passOf(holder)).toEqual({
    ticketId: "concert:93ed43aa76cb7a52:57",
    queue: "concert",
    number: 57,
    expiresAt: new Date(exp * 1000),
  });
});

describe("a token is refused as untrusted", () => {
  it.each<[string, () => string | Promise<string>]>([
    ["signed by somebody else, who gives their key the same name", () => stranger.pass()],
    ["signed with another key than it names", () => signer.pass({}, { kid: "second" })],
    ["naming a key that there is not", () => signer.pass({}, { kid: "third" })],
    ["naming no key", () => signer.pass({}, { kid: undefined })],
    ["naming a key of another kind", () => signer.pass({}, { kid: "rsa" })],
    ["of HS512, with the public key as the secret", async () => hmac(await signer.pass(), "HS512")],
    ["with its key in its own header", () => stranger.pass({}, { jwk: stranger.jwk, kid: undefined })],
    [
      "of EdDSA in words only: claims changed after",
      async () => tampered(await signer.pass(), { queue: "concert", n: 1 }),
    ],
  ])("%s", async (_, make) => {
    expect(await flawOfPass(make())).toBe("untrusted");
  });
});

describe("a token is refused as malformed", () => {
  it.each<[string, () => string | Promise<string>]>([
    ["alg none, without a signature", async () => unsigned(await signer.pass(), { alg: "none" })],
    ["HS256, with the public key as the secret", async () => hmac(await signer.pass(), "HS256")],
    ["RS256, by a key that is in the set", () => rs256()],
    ["cut", async () => (await signer.pass()).slice(0, -1)],
    ["longer than any pass", () => signer.pass({ aud: ["shop", "x".repeat(4_000)] })],
    ["megabytes", () => `${"a".repeat(8_000_000)}.a.${"a".repeat(86)}`],
    ["of five parts", async () => `${await signer.pass()}.a.b`],
    ["with blanks", async () => ` ${await signer.pass()}`],
    ["in base64 that is none", () => `*.*.${"A".repeat(86)}`],
    ["of parts that are no JSON", () => `AAAA.AAAA.${"A".repeat(86)}`],
    ["with a critical extension", () => signer.pass({}, { crit: [EXTENSION], [EXTENSION]: 1 })],
    ["whose ticket is of another queue than it", () => signer.pass({ sub: "vip:93ed43aa76cb7a52:57" })],
    ["whose subject is no ticket", () => signer.pass({ sub: "ann" })],
  ])("%s", async (_, make) => {
    expect(await flawOfPass(make())).toBe("malformed");
  });
});

describe("a token is refused as one for elsewhere", () => {
  it.each<[string, () => Promise<string>]>([
    ["of another type", () => signer.pass({}, { typ: "JWT" })],
    ["of no type", () => signer.pass({}, { typ: undefined })],
    ["of another issuer", () => signer.pass({ iss: "auth" })],
    ["for another service", () => signer.pass({ aud: ["till"] })],
    ["for no service", () => signer.pass({ aud: undefined })],
    ["for a service whose name only begins so", () => signer.pass({ aud: "shopping" })],
    ["of another queue", () => signer.pass({ queue: "vip", sub: "vip:93ed43aa76cb7a52:57" })],
    ["of no queue", () => signer.pass({ queue: undefined })],
    ["without an end", () => signer.pass({ exp: undefined })],
    ["with an end that is no number", () => signer.pass({ exp: "2999" as unknown as number })],
  ])("%s", async (_, make) => {
    expect(await flawOfPass(make())).toBe("elsewhere");
  });
});

describe("clocks", () => {
  it.each<[string, number, string]>([
    ["that are 20 s apart make no difference at the end", -20, "nothing"],
    ["that are 40 s apart do", -40, "expired"],
  ])("%s", async (_, exp_s, flaw) => {
    expect(await flawOfPass(signer.pass({ exp: now_s() + exp_s }))).toBe(flaw);
  });

  it("that are behind the gateway's let in who was admitted in their future", async () => {
    expect(await flawOfPass(signer.pass({ iat: now_s() + 3_600, exp: now_s() + 4_200 }))).toBe("nothing");
  });

  it("hold a pass that is not good yet to what it says", async () => {
    expect(await flawOfPass(signer.pass({ nbf: now_s() + 20 }))).toBe("nothing");
    expect(await flawOfPass(signer.pass({ nbf: now_s() + 60 }))).toBe("early");
  });

  it("may be given less, or more", async () => {
    const strict = createGuard({ ...TERMS, clockTolerance: 0 });
    expect(await flawOfPass(signer.pass({ exp: now_s() - 5 }), strict)).toBe("expired");
    const lax = createGuard({ ...TERMS, clockTolerance: 300 });
    expect(await flawOfPass(signer.pass({ exp: now_s() - 200 }), lax)).toBe("nothing");
  });
});

it("several queues, another issuer and a single audience are taken where they are asked for", async () => {
  const both = createGuard({ ...TERMS, queue: ["concert", "vip"], issuer: "usher.example" });
  for (const queue of ["concert", "vip"]) {
    const claims = { iss: "usher.example", aud: "shop", queue, sub: `${queue}:93ed43aa76cb7a52:57` };
    expect(await flawOfPass(signer.pass(claims), both)).toBe("nothing");
  }
  const refusal = await both.check(() => undefined);
  expect(refusal).toMatchObject({
    queues: ["concert", "vip"],
    detail: expect.stringContaining(`"concert" or "vip"`),
  });
});

describe("in a request", () => {
  const withCookie = createGuard({ ...TERMS, cookie: true });

  it("several passes at once are none, however they come", async () => {
    const pass = await signer.pass();
    expect(await flawOf({ "usher-pass": [pass] })).toBe("nothing");
    expect(await flawOf({ "usher-pass": [pass, pass] })).toBe("malformed");
    expect(await flawOf({ "usher-pass": `${pass}, ${pass}` })).toBe("malformed");
    expect(await flawOf({ "usher-pass": [] })).toBe("missing");
    expect(await flawOf({ "usher-pass": "" })).toBe("missing");
  });

  it("on a socket too, they are none", async () => {
    await using service = await nodeHttp(guard);
    const pass = await signer.pass();
    const line = `Usher-Pass: ${pass}\r\n`;
    expect(await statusOf(service.url, line)).toBe("200");
    expect(await statusOf(service.url, line + line)).toBe("403");
    expect(await statusOf(service.url, `Usher-Pass: ${pass}\r\n usher\r\n`)).toMatch(/^40[03]$/);
    expect(await statusOf(service.url, `Usher-Pass: ${"a".repeat(15_000)}\r\n`)).toBe("403");
    expect(await statusOf(service.url, `Usher-Pass: ${"a".repeat(20_000)}\r\n`)).toBe("431");
  });

  it("a cookie counts only where the guard is to look for it", async () => {
    const cookie = `usher-pass-concert=${await signer.pass()}`;
    expect(await flawOf({ cookie })).toBe("missing");
    expect(await flawOf({ cookie }, withCookie)).toBe("nothing");
  });

  it("a cookie counts by its whole name, and not where it came with two values", async () => {
    const [pass, another] = [await signer.pass(), await signer.pass({ jti: "another" })];
    for (const cookie of [
      `usher-pass-concert2=${pass}`,
      `Xusher-pass-concert=${pass}`,
      `usher-pass-=${pass}`,
      `usher-pass-concert=${pass}; usher-pass-concert=${another}`,
    ])
      expect(await flawOf({ cookie }, withCookie)).toBe("missing");
    expect(await flawOf({ cookie: [`a=b`, `__Host-usher-pass-concert=${pass}`] }, withCookie)).toBe(
      "nothing",
    );
    const shadowed = `__Host-usher-pass-concert=${pass}; usher-pass-concert=nonsense`;
    expect(await flawOf({ cookie: shadowed }, withCookie)).toBe("nothing");
  });

  it("a wrong header is as good as none, where the cookie has a pass", async () => {
    const cookie = `usher-pass-concert=${await signer.pass()}`;
    expect(await flawOf({ "usher-pass": "nonsense", cookie }, withCookie)).toBe("nothing");
    const over = `usher-pass-concert=${await signer.pass({ exp: 1 })}`;
    expect(await flawOf({ "usher-pass": "nonsense", cookie: over }, withCookie)).toBe("malformed");
    expect(await flawOf({ cookie: over }, withCookie)).toBe("expired");
  });
});

it("a set with a private or a secret key, or two of one name, lets nobody in, and says so", async () => {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const secret = { ...(await exportJWK(privateKey)), kid: "first" };
  for (const keys of [[secret], [signer.jwk, stranger.jwk]]) {
    const faults: unknown[] = [];
    const odd = createGuard({ ...TERMS, jwks: { keys }, onFault: (error) => faults.push(error) });
    expect(await flawOfPass(signer.pass(), odd)).toBe("keys_unavailable");
    expect(faults).toHaveLength(1);
  }
});

it("where to wait is said as it may stand in a header", async () => {
  const told = async (waitAt: string) => (await createGuard({ ...TERMS, waitAt }).check(() => null))?.waitAt;
  expect(await told("/concert?from=shop")).toBe("/concert?from=shop");
  expect(await told("/c\r\nset-cookie: a=b")).toBe("/cset-cookie:%20a=b");
  expect(await told("https://tickets.example/콘서트")).toBe(
    "https://tickets.example/%EC%BD%98%EC%84%9C%ED%8A%B8",
  );
});

it("what makes no sense is told when the guard is made", () => {
  const wrong: Partial<GuardOptions>[] = [
    { queue: "" },
    { queue: [] },
    { audience: "" },
    // What JavaScript may hand in.
    { queue: undefined as unknown as string },
    { audience: undefined as unknown as string },
    { audience: ["shop"] as unknown as string },
    { jwks: "http://gateway/jwks.json", keys: { maxAge: Number.NaN } },
    { jwks: "http://gateway/jwks.json", keys: { cooldown: -1 } },
    { clockTolerance: 30_000 },
    { clockTolerance: -1 },
    { clockTolerance: Number.NaN },
    { waitAt: "concert" },
    { waitAt: "//evil.example/concert" },
    { waitAt: "/\\evil.example" },
    { waitAt: "javascript:alert(1)" },
  ];
  for (const options of wrong)
    expect(() => createGuard({ ...TERMS, ...options }), JSON.stringify(options)).toThrow(
      expect.objectContaining({ code: "misused" }),
    );
});

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

function decoded(part = ""): object {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}

function tampered(pass: string, claims: object): string {
  const [header, payload, signature] = pass.split(".");
  return `${header}.${encoded({ ...decoded(payload), ...claims })}.${signature}`;
}

function unsigned(pass: string, header: object): string {
  const [before, payload] = pass.split(".");
  return `${encoded({ ...decoded(before), ...header })}.${payload}.`;
}

function hmac(pass: string, alg: "HS256" | "HS512"): string {
  const [before, payload] = pass.split(".");
  const text = `${encoded({ ...decoded(before), alg })}.${payload}`;
  const key = createPublicKey({ key: signer.jwk as { kty: string }, format: "jwk" });
  const secret = key.export({ type: "spki", format: "pem" });
  return `${text}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(text)
    .digest("base64url")}`;
}

async function rs256(): Promise<string> {
  const [, payload] = (await signer.pass()).split(".");
  return new SignJWT({ ...decoded(payload) })
    .setProtectedHeader({ alg: "RS256", typ: "usher-pass+jwt", kid: "rsa" })
    .sign(rsa.privateKey);
}

/** The status of a request that is written by hand. */
function statusOf(url: string, lines: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let text = "";
    socket.on("error", reject).setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]));
    socket.write(`GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n${lines}\r\n`);
  });
}
