// Somebody who wants another's token, pass or place: whatever is tried, it is as if nothing had been brought (I19), and
// never more are let in than may be (I9).

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { formatTicketId, freshKeys, type Keys } from "@usher/replica";
import { MemoryStore } from "@usher/ticket-log";
import { expect, test } from "vitest";
import {
  configure,
  type Node,
  openNode,
  openShop,
  problemIn,
  QUEUE,
  type Shop,
  Visitor,
} from "./support/pass-queue.ts";

const PASS_COOKIE = `usher-pass-${QUEUE}`;

/** Ann is admitted, and the only one who may be. */
async function open(
  options: { keys?: Keys } = {},
): Promise<{ node: Node; shop: Shop; ann: Visitor; pass: string }> {
  const shop = await openShop();
  const node = await openNode({ service: shop.port, ...options });
  await configure(node, {});
  const ann = new Visitor(node);
  await ann.see("/");
  return { node, shop, ann, pass: ann.cookies.get(PASS_COOKIE) ?? "" };
}

/** What Mallory is told when nothing that is brought counts. */
async function expectNothing({ node, shop }: { node: Node; shop: Shop }, headers: Record<string, string>) {
  const mallory = new Visitor(node);
  const reached = shop.seen.length;
  const answer = await mallory.ask("/", headers);
  expect(answer.status).toBe(429);
  const { ticket } = problemIn(answer) as { ticket: { number: number; state: string } };
  expect(ticket.number).not.toBe(1);
  expect(ticket.state).toBe("TICKET_STATE_WAITING");
  expect(answer.text).not.toContain('"pass"');
  expect(mallory.cookies.has(PASS_COOKIE)).toBe(false);
  expect(shop.seen).toHaveLength(reached);
}

function resigned(
  pass: string,
  change: (head: object, body: Record<string, unknown>) => [object, object],
): string {
  const [head = "", body = "", signature = ""] = pass.split(".");
  const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const [changedHead, changedBody] = change(decode(head), decode(body));
  return `${encode(changedHead)}.${encode(changedBody)}.${signature}`;
}

const FORGED: readonly (readonly [what: string, forge: (pass: string) => string])[] = [
  ["nothing", () => ""],
  ["no token at all", () => "open sesame"],
  ["as much of nothing as headers hold", () => "a".repeat(3_900)],
  ["half of a pass", (pass) => pass.slice(0, pass.length / 2)],
  ["a pass without its signature", (pass) => `${pass.split(".").slice(0, 2).join(".")}.`],
  [
    "another signature",
    (pass) => `${pass.split(".").slice(0, 2).join(".")}.${randomBytes(64).toString("base64url")}`,
  ],
  [
    "another number under the same signature",
    (pass) => resigned(pass, (head, body) => [head, { ...body, sub: `${body.sub}0` }]),
  ],
  ["alg: none", (pass) => resigned(pass, (head, body) => [{ ...head, alg: "none" }, body])],
  [
    "alg: none, and no signature",
    (pass) => resigned(pass, (head, body) => [{ ...head, alg: "none" }, body]).replace(/[^.]*$/, ""),
  ],
  ["alg: HS256", (pass) => resigned(pass, (head, body) => [{ ...head, alg: "HS256" }, body])],
  [
    "a key that it brings itself",
    (pass) => resigned(pass, (head, body) => [{ ...head, jwk: { kty: "OKP", crv: "Ed25519", x: "" } }, body]),
  ],
  [
    "a key to be fetched",
    (pass) => resigned(pass, (head, body) => [{ ...head, jku: "http://127.0.0.1:9/" }, body]),
  ],
  ["an odd kid", (pass) => resigned(pass, (head, body) => [{ ...head, kid: "../../etc/passwd" }, body])],
  ["the pass twice", (pass) => `${pass},${pass}`],
];

for (const [what, forge] of FORGED)
  test(`as a pass, ${what} is none: in the header, in the cookie, and in both`, async () => {
    const { node, shop, pass } = await open();
    const forged = forge(pass);
    await expectNothing({ node, shop }, { "usher-pass": forged });
    await expectNothing({ node, shop }, { cookie: `${PASS_COOKIE}=${forged}` });
    await expectNothing({ node, shop }, { "usher-pass": forged, cookie: `${PASS_COOKIE}=${forged}` });
  });

test("a pass that somebody signs with a key of their own is none", async () => {
  const { node, shop, pass } = await open();
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const jwk = publicKey.export({ format: "jwk" });
  const { kid } = JSON.parse((await new Visitor(node).ask("/_usher/jwks.json")).text).keys[0];
  for (const header of [{ kid }, { kid, jwk }, { jwk }]) {
    const [head, body] = resigned(pass, (_, claims) => [
      { alg: "EdDSA", typ: "usher-pass+jwt", ...header },
      claims,
    ]).split(".");
    const signature = sign(null, Buffer.from(`${head}.${body}`), privateKey).toString("base64url");
    await expectNothing({ node, shop }, { "usher-pass": `${head}.${body}.${signature}` });
  }
});

test("a pass of another queue, of another log or of another deployment is none", async () => {
  const keys = freshKeys();
  const here = await open({ keys });
  const sameKeys = await open({ keys });
  await expectNothing(here, { "usher-pass": sameKeys.pass });
  const otherKeys = await open();
  await expectNothing(here, { "usher-pass": otherKeys.pass });

  const { replica } = here.node;
  const { settings } = replica.desk.queue(QUEUE);
  await replica.configure("other", settings, { revision: 1, reason: "" });
  const place = await replica.desk.issue({ queue: "other", caller: { id: "", trusted: false } });
  const other = replica.passes.mint(place) ?? "";
  expect(other).not.toBe("");
  await expectNothing(here, { "usher-pass": other });
  await expectNothing(here, { cookie: `${PASS_COOKIE}=${other}; usher-pass-other=${other}` });
});

for (const [how, end] of [
  ["completed", (node: Node) => place(node).then((it) => node.replica.desk.complete(it))],
  ["left", (node: Node) => place(node).then((it) => node.replica.desk.leave(it))],
] as const)
  test(`once its ticket was ${how}, a pass is none, though its time is not over`, async () => {
    const { node, shop, ann, pass } = await open();
    await end(node);
    // Somebody else has the slot now.
    expect((await new Visitor(node).see("/")).status).toBe(200);
    await expectNothing({ node, shop }, { "usher-pass": pass });
    expect((await ann.ask("/")).status).toBe(429);
  });

async function place({ replica }: Node) {
  return replica.desk.named(formatTicketId({ queue: QUEUE, epoch: replica.epoch(), number: 1 }));
}

test("a hundred uses of one pass at once are one ticket and one slot", async () => {
  const { node, shop, pass } = await open();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => new Visitor(node).ask(`/${n}`, { "usher-pass": pass })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200));
  expect(new Set(shop.seen.map(({ headers }) => headers["usher-ticket"]))).toEqual(new Set(["1"]));
  const queue = node.replica.desk.queue(QUEUE);
  expect([queue.lastNumber, queue.active, queue.ticket(1)?.session?.extensions]).toEqual([1, 1, 0]);
});

for (const [what, cookie] of [
  ["guessed", "AAAAAAAAAAAAAAAAAAAAAA"],
  ["too short", "A"],
  ["too long", "A".repeat(5_000)],
  ["no base64url", "%00%00%00%00%00%00%0022"],
  ["in quotes", '"AAAAAAAAAAAAAAAAAAAAAA"'],
  ["empty", ""],
] as const)
  test(`a visitor's cookie that is ${what} makes nobody somebody else`, async () => {
    await expectNothing(await open(), { cookie: `usher-visitor=${cookie}` });
  });

test("Ann's cookie with one letter changed is not Ann's", async () => {
  const { node, shop, ann } = await open();
  const own = ann.cookies.get("usher-visitor") ?? "";
  const changed = `${own.startsWith("A") ? "B" : "A"}${own.slice(1)}`;
  await expectNothing({ node, shop }, { cookie: `usher-visitor=${changed}` });
  await expectNothing({ node, shop }, { cookie: `Usher-Visitor=${own}` });
  await expectNothing({ node, shop }, { cookie: `usher-visitor =${own}` });
});

test("to name somebody takes an API key, and a name is never a visitor's secret", async () => {
  const { node, shop, ann } = await open();
  const own = ann.cookies.get("usher-visitor") ?? "";
  const issue = (headers: Record<string, string>, subject: string) =>
    fetch(`${node.gateway.url}/usher.queue.v1.QueueService/Issue`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ queue: QUEUE, subject }),
    });
  expect((await issue({}, own)).status).toBe(401);
  // A backend that knows the secret still names somebody else by it.
  const [{ key = "" } = {}] = node.keys.api_keys;
  for (const subject of [own, `cookie:${own}`]) {
    const issued = (await (await issue({ "usher-api-key": key }, subject)).json()) as {
      status: { ticket: { number: number } };
    };
    expect(issued.status.ticket.number).not.toBe(1);
  }
  for (const header of ["usher-subject", "x-usher-visitor", "usher-ticket"])
    await expectNothing({ node, shop }, { [header]: own }).catch((error: unknown) => {
      throw new Error(`${header} counts for something`, { cause: error });
    });
});

test("a key is not a cookie, though it is spelled the same", async () => {
  const { node, shop, ann } = await open();
  const own = ann.cookies.get("usher-visitor") ?? "";
  await expectNothing({ node, shop }, { "idempotency-key": own });
  await expectNothing({ node, shop }, { "idempotency-key": `cookie:${own}` });
});

test("two cookies of one name that differ are refused for a visitor, and count for nothing as passes", async () => {
  const { node, shop, ann, pass } = await open();
  const own = ann.cookies.get("usher-visitor") ?? "";
  const tossed = randomBytes(16).toString("base64url");
  for (const cookie of [
    `usher-visitor=${tossed}; usher-visitor=${own}`,
    `usher-visitor=${own}; usher-visitor=${tossed}`,
  ]) {
    const answer = await new Visitor(node).ask("/", { cookie });
    expect([answer.status, problemIn(answer).type]).toEqual([400, "urn:usher:problem:header_duplicate"]);
  }
  await expectNothing({ node, shop }, { cookie: `${PASS_COOKIE}=${pass}x; ${PASS_COOKIE}=${pass}` });
  // The same value twice says nothing else than once.
  expect(
    (await new Visitor(node).ask("/", { cookie: `usher-visitor=${own}; usher-visitor=${own}` })).status,
  ).toBe(200);
});

test("where header and cookie disagree, each counts for what it is: a wrong one takes nothing from a right one", async () => {
  const { node, shop, pass } = await open();
  const visitor = new Visitor(node);
  expect((await visitor.ask("/", { "usher-pass": "wrong", cookie: `${PASS_COOKIE}=${pass}` })).status).toBe(
    200,
  );
  expect((await visitor.ask("/", { "usher-pass": pass, cookie: `${PASS_COOKIE}=wrong` })).status).toBe(200);
  // Somebody who waits, with Ann's pass in the header: the service hears of Ann's ticket, and of hers alone.
  const bob = new Visitor(node);
  await bob.see("/");
  await bob.ask("/", { "usher-pass": pass });
  expect(shop.seen.at(-1)?.headers).toMatchObject({ "usher-pass": pass, "usher-ticket": "1" });
});

test("another site that has a visitor's browser send something does not take the visitor's place away", async () => {
  const { node } = await open();
  const bob = new Visitor(node);
  await bob.see("/");
  const place = bob.cookies.get("usher-visitor");
  // Cookies do not come along, and what is set would replace them.
  for (const [headers, method] of [
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", accept: "text/html" }, "POST"],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, "GET"],
  ] as const) {
    const answer = await new Visitor(node).ask("/", headers, method);
    expect([answer.status, answer.headers["set-cookie"]]).toEqual([429, undefined]);
  }
  const link = await new Visitor(node).see("/", { "sec-fetch-site": "cross-site" });
  expect(link.headers["set-cookie"]).toMatch(/^usher-visitor=/);
  expect((await bob.see("/")).headers["usher-ticket"]).toBe("2");
  expect(bob.cookies.get("usher-visitor")).toBe(place);
});

test("the service sees no cookie of Usher's, and its own as they came", async () => {
  const { node, shop, ann } = await open();
  const own = [...ann.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  await ann.ask("/", { cookie: `basket=1; ${own}; __Host-usher-visitor=x; USHER-thing=1; theme="dark;` });
  expect(shop.seen.at(-1)?.headers.cookie).toBe('basket=1; theme="dark');
  await new Visitor(node).ask("/", {
    cookie: `basket=1;theme=2; ${own}`,
    "usher-pass": "forged",
    "usher-ticket": "9",
  });
  expect(shop.seen.at(-1)?.headers).toMatchObject({ cookie: "basket=1; theme=2", "usher-ticket": "1" });
});

test("the service cannot set a cookie of Usher's, or tell a ticket", async () => {
  const { shop, ann } = await open();
  const before = [...ann.cookies];
  shop.answerHeaders = {
    "set-cookie": [
      "usher-visitor=stolen; Path=/",
      "__Host-usher-visitor=stolen; Path=/; Secure",
      `${PASS_COOKIE}=stolen`,
      "=usher-visitor=stolen",
      " Usher-Visitor=stolen",
      "basket=2; Path=/",
    ],
    "usher-ticket": "99",
  };
  const answer = await ann.ask("/");
  expect(answer.headers["set-cookie"]).toEqual("basket=2; Path=/");
  expect(answer.headers["usher-ticket"]).toBeUndefined();
  expect([...ann.cookies]).toEqual([...before, ["basket", "2"]]);
});

test("whoever waits is told nothing of anybody else, and a token that is not whole is none", async () => {
  const { node, ann, pass } = await open();
  const page = await new Visitor(node).see("/");
  for (const secret of [pass, ...ann.cookies.values()]) expect(page.text).not.toContain(secret);
  const url = `${problemIn(await new Visitor(node).ask("/")).ticket_url}`;
  const token = url.slice(url.lastIndexOf("/") + 1);
  for (const other of [
    token.slice(0, -1),
    `${token}A`,
    token.toLowerCase(),
    `${token.slice(0, 20)}zzzz${token.slice(24)}`,
  ]) {
    for (const [path, method] of [
      ["", "GET"],
      ["", "DELETE"],
      ["/leave", "POST"],
      ["?page=en", "GET"],
    ] as const) {
      const answer = await new Visitor(node).ask(`/_usher/tickets/${other}${path}`, {}, method);
      expect([answer.status, problemIn(answer).type]).toEqual([404, "urn:usher:problem:ticket_not_found"]);
    }
  }
  expect(node.replica.desk.queue(QUEUE).waiting).toBe(2);
});

test("never more are let in than may be, through two gateways at once, while people come and go", async () => {
  const shop = await openShop();
  const store = new MemoryStore({ shared: true });
  const keys = freshKeys();
  const nodes = [
    await openNode({ store, keys, name: "a", service: shop.port }),
    await openNode({ store, keys, name: "b", service: shop.port }),
  ];
  const [a] = nodes as [Node, Node];
  const MAX_ACTIVE = 3;
  await configure(a, { max_active: MAX_ACTIVE });
  let most = 0;
  const unlisten = nodes.map(({ replica }) =>
    replica.onBatch(() => {
      most = Math.max(most, replica.fold.queue(QUEUE)?.active ?? 0);
    }),
  );
  const crowd = Array.from({ length: 60 }, (_, n) => ({ n, visitor: new Visitor(nodes[n % 2] ?? a) }));
  await Promise.all(crowd.map(({ visitor }) => visitor.see("/")));
  const admitted = () => shop.seen.map(({ headers }) => Number(headers["usher-ticket"]));
  expect(new Set(admitted()).size).toBe(MAX_ACTIVE);
  // Each who is in goes, by the other gateway than the one that let them in; whoever waits asks again, by either.
  for (let served = 0; served < crowd.length; ) {
    const inside = new Set(admitted());
    for (const number of inside) {
      const { replica } = nodes[number % 2] ?? a;
      const id = formatTicketId({ queue: QUEUE, epoch: replica.epoch(), number });
      const before = await replica.desk.complete(replica.desk.named(id)).catch(() => undefined);
      if (before === undefined) throw new Error(`${id} cannot be completed`);
    }
    served = inside.size;
    await Promise.all(crowd.map(({ visitor }) => visitor.see("/")));
    if (admitted().length > 40 * crowd.length) throw new Error("the crowd does not come to an end");
  }
  for (const stop of unlisten) stop();
  expect(most).toBe(MAX_ACTIVE);
});
