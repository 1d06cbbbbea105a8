// Who a request is from: whose words about it are believed, and what of them the service gets to read.

import { connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { type ClientView, clientOf, isFromProxy, Provenance } from "../src/listener/client.ts";
import { readForwarded, writeForwarded } from "../src/listener/forwarded.ts";
import { openEdge } from "./support/edge.ts";
import { exchange, Raw } from "./support/raw.ts";
import { openAnswering, openForwarding } from "./support/service.ts";

const LOOPBACK = "127.0.0.0/8";
const PRIVATE = "10.0.0.0/8";

interface Told {
  readonly headers?: readonly string[];
  readonly trusted_proxies?: readonly string[];
  readonly public_url?: string;
}

/** What is told of a request that comes from 127.0.0.1 and asks for shop.example. */
async function viewOf({ headers = [], ...rules }: Told): Promise<ClientView> {
  let view: ClientView | undefined;
  const edge = await openEdge(
    (req, res) => {
      view = clientOf(req);
      res.end();
    },
    {},
    { provenance: new Provenance(rules) },
  );
  const lines = ["Host: shop.example", ...headers, "Connection: close"].map((line) => `${line}\r\n`);
  await exchange(edge.port, `GET / HTTP/1.1\r\n${lines.join("")}\r\n`);
  if (view === undefined) throw new Error("refused at the door");
  return view;
}

const SPOOFED = [
  "X-Forwarded-For: 6.6.6.6",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: evil.example",
  "Forwarded: for=6.6.6.6;proto=https;host=evil.example",
];
const OWN: ClientView = {
  address: "127.0.0.1",
  scheme: "http",
  host: "shop.example",
  origin: "http://shop.example",
  hops: ["127.0.0.1"],
};

test.each([
  ["nobody is trusted", []],
  ["others are trusted", [PRIVATE, "::1/128", "128.0.0.1/32"]],
])("where %s, nothing that a request says of itself is believed", async (_, trusted_proxies) => {
  expect(await viewOf({ headers: SPOOFED, trusted_proxies })).toEqual(OWN);
});

test.each<[string, readonly string[], Partial<ClientView>]>([
  [
    "address, scheme and host",
    ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: tickets.example:444"],
    {
      address: "203.0.113.7",
      scheme: "https",
      host: "tickets.example:444",
      origin: "https://tickets.example:444",
      hops: ["203.0.113.7", "127.0.0.1"],
    },
  ],
  [
    "a scheme alone",
    ["X-Forwarded-Proto: HTTPS"],
    { ...OWN, scheme: "https", origin: "https://shop.example" },
  ],
  [
    "an address up to the first that is not trusted, whatever stands before it",
    ["X-Forwarded-For: 6.6.6.6, 10.9.9.9", "X-Forwarded-For: 203.0.113.7, 10.0.0.2,10.0.0.1"],
    { address: "203.0.113.7", hops: ["203.0.113.7", "10.0.0.2", "10.0.0.1", "127.0.0.1"] },
  ],
  [
    "the first address where all are trusted",
    ["X-Forwarded-For: 10.0.0.2, 10.0.0.1"],
    { address: "10.0.0.2" },
  ],
  [
    "of lists as long as the addresses, what belongs to the client's",
    [
      "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.1",
      "X-Forwarded-Proto: http, https, http",
      "X-Forwarded-Host: evil.example, tickets.example, inner",
    ],
    { scheme: "https", host: "tickets.example" },
  ],
  [
    "of lists of another length, the nearest proxy's word",
    [
      "X-Forwarded-For: 203.0.113.7",
      "X-Forwarded-Proto: http, https",
      "X-Forwarded-Host: evil.example, ok.example",
    ],
    { scheme: "https", host: "ok.example" },
  ],
  ["addresses with ports", ["X-Forwarded-For: [2001:db8::1]:4711, 10.0.0.1:80"], { address: "2001:db8::1" }],
  [
    "an IPv4 address that came over IPv6",
    ["X-Forwarded-For: ::ffff:203.0.113.7"],
    { address: "203.0.113.7" },
  ],
  ["what is no address as unknown", ["X-Forwarded-For: 203.0.113.7, _hidden"], { address: "unknown" }],
  [
    "no scheme but two",
    ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: javascript"],
    { scheme: "http" },
  ],
  [
    "no host that is none",
    ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Host: a/../b"],
    { host: "shop.example" },
  ],
  [
    "Forwarded where there is nothing else",
    [
      'Forwarded: for=6.6.6.6, For="[2001:db8::1]:47";Proto=https; host="tickets.example:444" , for=10.0.0.1;proto=http',
    ],
    {
      address: "2001:db8::1",
      scheme: "https",
      host: "tickets.example:444",
      hops: ["2001:db8::1", "10.0.0.1", "127.0.0.1"],
    },
  ],
  [
    "X-Forwarded before Forwarded, which proxies leave as it came",
    ["Forwarded: for=6.6.6.6;proto=https", "X-Forwarded-For: 203.0.113.7"],
    { address: "203.0.113.7", scheme: "http" },
  ],
  ["nothing of a Forwarded that cannot be read", ['Forwarded: for="6.6.6.6'], OWN],
])("of a trusted proxy is believed %s", async (_, headers, expected) => {
  expect(await viewOf({ headers, trusted_proxies: [LOOPBACK, PRIVATE] })).toMatchObject(expected);
});

test("the public URL's scheme counts, and it stands in links, whatever else is said", async () => {
  const public_url = "https://tickets.example";
  expect(await viewOf({ headers: SPOOFED, public_url })).toEqual({
    ...OWN,
    scheme: "https",
    origin: public_url,
  });
  const headers = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: inner"];
  expect(await viewOf({ headers, public_url, trusted_proxies: [LOOPBACK] })).toMatchObject({
    address: "203.0.113.7",
    scheme: "https",
    host: "inner",
    origin: public_url,
  });
});

test.each([
  ["127.0.0.1", ["127.0.0.0/8"], true],
  ["127.0.0.1", ["::ffff:127.0.0.0/104"], true],
  ["127.0.0.1", ["127.0.0.2/32", "128.0.0.0/1", "::1/128"], false],
  ["127.0.0.1", [], false],
  ["::1", ["::1/128"], true],
  ["::1", ["127.0.0.0/8", "0.0.0.0/0", "::2/128"], false],
])(
  "%s is a proxy's address by %j alone: %s, whatever it says of itself",
  async (host, trusted_proxies, told) => {
    const answers: boolean[] = [];
    const provenance = new Provenance({ trusted_proxies });
    // There, an IPv4 address comes as one of IPv6.
    const edge = await openEdge(
      (req, res) => {
        answers.push(isFromProxy(req));
        res.end();
      },
      {},
      { host: "::", provenance },
    );
    for (const line of [
      "X-Forwarded-For: 203.0.113.7",
      "X-Forwarded-For: ::1, 127.0.0.1",
      "Forwarded: for=127.0.0.1",
    ]) {
      const raw = await Raw.open(edge.port, host);
      await raw.send(`GET / HTTP/1.1\r\nHost: a\r\n${line}\r\nConnection: close\r\n\r\n`).closed();
    }
    expect(answers).toEqual([told, told, told]);
  },
);

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";

test("the service is told of the believed hops, and of nothing that anybody else wrote", async () => {
  const service = await openAnswering(OK);
  const edge = await openForwarding(service.port, {
    listen: { provenance: new Provenance({ trusted_proxies: [LOOPBACK, PRIVATE] }) },
  });
  await exchange(
    edge.port,
    "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 6.6.6.6, 2001:db8::1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n" +
      "X-Forwarded-Host: tickets.example\r\nX-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\nConnection: close\r\n\r\n",
  );
  const received = service.received[0] ?? "";
  expect(received).not.toContain("6.6.6.6");
  expect(received.split("\r\n")).toEqual(
    expect.arrayContaining([
      "host: inner",
      "x-forwarded-for: 2001:db8::1, 10.0.0.1, 127.0.0.1",
      "x-forwarded-proto: https",
      "x-forwarded-host: tickets.example",
      'forwarded: for="[2001:db8::1]";proto=https;host="tickets.example", for=10.0.0.1, for=127.0.0.1',
    ]),
  );
  expect(received).not.toMatch(/x-forwarded-port/i);
});

test("a stranger's headers are replaced, over HTTP/2 as well", async () => {
  const service = await openAnswering(OK);
  const edge = await openForwarding(service.port, {
    listen: { provenance: new Provenance({ trusted_proxies: [PRIVATE] }) },
  });
  const session = connect(`http://127.0.0.1:${edge.port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ":path": "/",
    ":authority": "shop.example",
    "x-forwarded-for": ["10.0.0.1", "6.6.6.6"],
    "x-forwarded-proto": "https",
    forwarded: "for=6.6.6.6",
  });
  await new Promise((resolve) => stream.resume().once("close", resolve));
  const received = service.received[0] ?? "";
  expect(received).not.toContain("6.6.6.6");
  expect(received).toContain("x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n");
});

test.each([
  "",
  ",, ,",
  "for=",
  'for="',
  "for=a b",
  "=a",
  'for="a"b',
  ";;;",
  " ".repeat(8_000),
  `${"for=a,".repeat(1_000)}"`,
])("a Forwarded such as %j harms nobody", (header) => {
  expect(readForwarded(header) ?? []).toEqual([]);
});

test("what is written of hops is read as the same", () => {
  const written = writeForwarded(["2001:db8::1", "unknown", "10.0.0.1"], {
    scheme: "https",
    host: "[::1]:80",
  });
  expect(readForwarded(written)?.map((hop) => Object.fromEntries(hop))).toEqual([
    { for: "[2001:db8::1]", proto: "https", host: "[::1]:80" },
    { for: "unknown" },
    { for: "10.0.0.1" },
  ]);
});
