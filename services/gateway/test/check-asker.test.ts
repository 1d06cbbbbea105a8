// Who is answered whose question is whether a request may go through: proxies, and nobody in their clothes.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Authorization } from "@usher/protocol/ext-authz";
import { expect, test } from "vitest";
import {
  type Answer,
  configure,
  NAVIGATION,
  type Node,
  openNode,
  openShop,
  problemIn,
  QUEUE,
  Visitor,
} from "./support/pass-queue.ts";

const QUESTIONS = [
  `/_usher/check?queue=${QUEUE}`,
  `/_usher/check?queue=${QUEUE}&deny=401`,
  `/_usher/check?queue=${QUEUE}&deny=403`,
  "/_usher/check",
  `/_usher/wait?queue=${QUEUE}`,
];
const MEANT = { "x-original-uri": "/buy", "x-original-method": "GET" };
const MARK = { "sec-usher-check": "1" };
const HERE = ["127.0.0.0/8", "::1/128"];

async function open(trusted_proxies: readonly string[]): Promise<Node> {
  const node = await openNode({ service: (await openShop()).port, trusted_proxies });
  await configure(node, { max_active: 10 });
  return node;
}

/** Somebody who has a pass, in cookies. */
async function admitted(node: Node): Promise<Visitor> {
  const visitor = new Visitor(node);
  expect((await visitor.see("/buy")).status).toBe(200);
  expect([...visitor.cookies.keys()]).toEqual(["usher-visitor", `usher-pass-${QUEUE}`]);
  return visitor;
}

/** Sees that it is refused, with what to do, and tells nothing that a cookie hides. */
function expectRefusal({ status, headers, text }: Answer, toDo: RegExp): void {
  const problem = problemIn({ status, headers, text });
  expect([status, problem.type]).toEqual([403, "urn:usher:problem:asker_refused"]);
  expect(problem.detail).toMatch(toDo);
  expect(
    Object.keys(headers).filter((name) => /^(usher-(?!problem)|set-cookie|location)/.test(name)),
  ).toEqual([]);
}

function places({ replica }: Node): number {
  return replica.fold.queue(QUEUE)?.lastNumber ?? 0;
}

test.each([
  ["as it is", {}],
  ["with the mark of a proxy", MARK],
  ["with a trusted address in X-Forwarded-For", { ...MARK, "x-forwarded-for": "10.0.0.1" }],
  ["with trusted addresses alone", { ...MARK, "x-forwarded-for": "10.0.0.1, 10.0.0.2" }],
  ["with a trusted address written as IPv6", { ...MARK, "x-forwarded-for": "::ffff:10.0.0.1" }],
  ["with a trusted address in Forwarded", { ...MARK, forwarded: "for=10.0.0.1;by=10.0.0.1;proto=https" }],
  ["with a trusted address in X-Real-IP", { ...MARK, "x-real-ip": "10.0.0.1" }],
  ["for a page to look at", { ...MARK, ...NAVIGATION }],
])("a question from an address that is no proxy's is refused, %s, and takes no place", async (_, headers) => {
  for (const trusted of [[], ["10.0.0.0/8", "192.0.2.1/32"]]) {
    const node = await open(trusted);
    const ann = await admitted(node);
    for (const path of QUESTIONS)
      for (const asker of [ann, new Visitor(node)])
        expectRefusal(await asker.ask(path, { ...MEANT, ...headers }), /trusted_proxies/);
    expect(places(node)).toBe(1);
  }
});

test.each([
  ["without the mark", {}],
  ["with an empty mark", { "sec-usher-check": "" }],
  ["with another value", { "sec-usher-check": "0" }],
  ["with a mark of its own beside the proxy's", { "sec-usher-check": "1, 1" }],
  ["with the mark in other letters", { sec_usher_check: "1", "x-sec-usher-check": "1" }],
  ["with the mark as a cookie", { cookie: "sec-usher-check=1" }],
])(
  "a client's own request that a trusted proxy passes on is refused %s, and takes no place",
  async (_, headers) => {
    const node = await open(HERE);
    const ann = await admitted(node);
    for (const path of QUESTIONS)
      for (const asker of [ann, new Visitor(node)])
        expectRefusal(
          await asker.ask(path, { ...MEANT, "x-forwarded-for": "203.0.113.7", ...headers }),
          /Sec-Usher-Check: 1/,
        );
    expect(places(node)).toBe(1);
  },
);

test("a proxy's own question is answered, whatever addresses its client tells of", async () => {
  const node = await open(HERE);
  const ann = await admitted(node);
  const pass = ann.cookies.get(`usher-pass-${QUEUE}`);
  for (const told of ["203.0.113.7", "127.0.0.1", "unknown", ""]) {
    const answer = await ann.ask(QUESTIONS[0] ?? "", { ...MEANT, ...MARK, "x-forwarded-for": told });
    expect([answer.status, answer.headers["usher-pass"]]).toEqual([200, pass]);
  }
});

const ASKED = { attributes: { request: { http: { method: "GET", path: "/buy", scheme: "https" } } } };

function envoyOver(protocol: string, { gateway }: Node) {
  const options = { baseUrl: gateway.url, httpVersion: "1.1" } as const;
  return createClient(
    Authorization,
    protocol === "gRPC" ? createGrpcTransport({ baseUrl: gateway.url }) : createConnectTransport(options),
  );
}

test.each([
  ["gRPC", "from elsewhere", [], MARK, /trusted_proxies/],
  ["gRPC", "from other addresses than are trusted", ["10.0.0.0/8"], MARK, /trusted_proxies/],
  ["Connect", "from elsewhere", [], MARK, /trusted_proxies/],
  ["gRPC", "that a proxy passes on", HERE, {}, /initial_metadata/],
  ["Connect", "that a proxy passes on", HERE, {}, /initial_metadata/],
  ["gRPC", "with another mark", HERE, { "sec-usher-check": "true" }, /initial_metadata/],
])(
  "a question of Envoy's kind over %s %s is denied, and takes no place",
  async (protocol, _, trusted, mark, toDo) => {
    const node = await open(trusted);
    const headers = { ...mark, "x-forwarded-for": "10.0.0.1" };
    const { status, httpResponse } = await envoyOver(protocol, node).check(ASKED, { headers });
    expect(status?.code).toBe(7);
    if (httpResponse.case !== "deniedResponse") throw new Error(`not denied, but ${httpResponse.case}`);
    const { value } = httpResponse;
    expect(value.status?.code).toBe(403);
    expect(JSON.parse(value.body)).toMatchObject({
      type: "urn:usher:problem:asker_refused",
      detail: expect.stringMatching(toDo),
    });
    expect(value.headers.map(({ header }) => header?.key)).not.toContain("set-cookie");
    expect(places(node)).toBe(0);
  },
);
