// Proxies that pass requests on themselves, and ask before over gRPC, as Envoy does (ext_authz).

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Authorization, type CheckResponse } from "@usher/protocol/ext-authz";
import { expect, test } from "vitest";
import { configure, NAVIGATION, type Node, openNode, openShop, QUEUE } from "./support/pass-queue.ts";

/** Trusts the proxies of this machine. */
async function open(
  settings: Parameters<typeof configure>[1] = {},
  more: { public_url?: string } = {},
): Promise<Node> {
  const trusted_proxies = ["127.0.0.0/8", "::1/128"];
  const node = await openNode({ service: (await openShop()).port, trusted_proxies, ...more });
  await configure(node, settings);
  return node;
}

function clientOf({ gateway }: Node) {
  const marking: Interceptor = (next) => (request) => {
    request.header.set("sec-usher-check", "1");
    return next(request);
  };
  return createClient(Authorization, createGrpcTransport({ baseUrl: gateway.url, interceptors: [marking] }));
}

/** As Envoy asks. */
function envoyOf(node: Node) {
  const client = clientOf(node);
  return (
    path: string,
    {
      headers = {},
      queue = QUEUE,
      method = "GET",
    }: { headers?: Record<string, string>; queue?: string; method?: string } = {},
  ): Promise<CheckResponse> =>
    client.check({
      attributes: {
        request: { http: { method, path, host: "shop.example", scheme: "https", headers } },
        contextExtensions: queue === "" ? {} : { queue },
      },
    });
}

function optionsIn({ httpResponse }: CheckResponse): Map<string, string[]> {
  const options =
    httpResponse.case === "okResponse"
      ? [...httpResponse.value.headers, ...httpResponse.value.responseHeadersToAdd]
      : (httpResponse.value?.headers ?? []);
  const all = new Map<string, string[]>();
  for (const { header } of options)
    if (header) all.set(header.key, [...(all.get(header.key) ?? []), header.value]);
  return all;
}

test("Envoy is told over gRPC who may go through, and what is set and taken away on the way", async () => {
  const node = await open();
  const ask = envoyOf(node);
  const first = await ask("/buy");
  expect(first.status?.code).toBe(0);
  expect(first.httpResponse.case).toBe("okResponse");
  const set = optionsIn(first);
  const cookies = (set.get("set-cookie") ?? []).map((line) => line.split(";", 1)[0] ?? "");
  expect(cookies.map((pair) => pair.split("=", 1)[0])).toEqual([
    "__Host-usher-visitor",
    `__Host-usher-pass-${QUEUE}`,
  ]);
  expect(set.get("usher-ticket")).toEqual(["1"]);

  const again = await ask("/buy", { headers: { cookie: `theme=dark; ${cookies.join("; ")}` } });
  expect(optionsIn(again).get("usher-pass")).toEqual(set.get("usher-pass"));
  expect(optionsIn(again).get("cookie")).toEqual(["theme=dark"]);
  const bare = await ask("/buy", { headers: { cookie: cookies.join("; ") } });
  expect(bare.httpResponse).toMatchObject({ case: "okResponse", value: { headersToRemove: ["cookie"] } });
});

test("Envoy gets the problem or the waiting page for its client, as a refusal", async () => {
  const node = await open();
  const ask = envoyOf(node);
  await ask("/buy");
  const [program, person] = [
    await ask("/buy", { method: "POST" }),
    await ask("/buy", { headers: NAVIGATION }),
  ];
  for (const { status, httpResponse } of [program, person]) {
    expect(status?.code).toBe(7);
    expect(httpResponse).toMatchObject({ case: "deniedResponse", value: { status: { code: 429 } } });
  }
  expect(optionsIn(program).get("content-type")).toEqual(["application/problem+json"]);
  expect(optionsIn(person).get("content-type")?.[0]).toMatch(/^text\/html/);
  expect(optionsIn(person).get("set-cookie")?.[0]).toMatch(/^__Host-usher-visitor=[\w-]{22};.*; Secure$/);
  // Of a refusal's headers, Envoy drops those that are to be appended.
  for (const { httpResponse } of [program, person])
    expect(httpResponse.value?.headers.filter(({ append }) => append !== false)).toEqual([]);
});

test.each([
  ["https", undefined, undefined, "__Host-usher-visitor"],
  ["http", "https", undefined, "__Host-usher-visitor"],
  ["https", "http", undefined, "usher-visitor"],
  ["http", "httpsx", undefined, "usher-visitor"],
  // As at the gateway itself: proxies before Envoy may speak https where it does not.
  ["http", "http", "https://tickets.example", "__Host-usher-visitor"],
  ["https", "https", "http://tickets.example", "usher-visitor"],
])(
  "Envoy speaks %s, X-Forwarded-Proto says %s, public_url %s: the cookie is %s",
  async (scheme, told, public_url, name) => {
    const node = await open({}, public_url === undefined ? {} : { public_url });
    const client = clientOf(node);
    const headers: Record<string, string> = told === undefined ? {} : { "x-forwarded-proto": told };
    const http = { method: "GET", path: "/buy", host: "shop.example", scheme, headers };
    const answer = await client.check({
      attributes: { request: { http }, contextExtensions: { queue: QUEUE } },
    });
    expect(optionsIn(answer).get("set-cookie")?.[0]?.split("=", 1)).toEqual([name]);
  },
);

test("what a client says of itself does not reach the service when nobody gave it a pass", async () => {
  const node = await open({ mode: "open" });
  const answer = await envoyOf(node)("/buy", { headers: { "usher-pass": "forged", "usher-ticket": "1" } });
  expect(answer.httpResponse).toMatchObject({
    ...{ case: "okResponse", value: { headersToRemove: ["usher-pass", "usher-ticket"], headers: [] } },
  });
});

test("a question of Envoy's without a request, or about no path or method, is refused, and the next one answered", async () => {
  const node = await open();
  const client = clientOf(node);
  const nothing = await client.check({});
  expect(nothing.httpResponse).toMatchObject({ case: "deniedResponse", value: { status: { code: 400 } } });
  const strange = await envoyOf(node)("*", { method: "OPTIONS" });
  expect(strange.httpResponse).toMatchObject({ case: "deniedResponse", value: { status: { code: 400 } } });
  for (const [method, queue] of [
    ["get", ""],
    ["get", QUEUE],
    ["", ""],
  ] as const) {
    const wrong = await envoyOf(node)("/buy", { queue, method });
    expect(wrong.httpResponse).toMatchObject({ case: "deniedResponse", value: { status: { code: 501 } } });
  }
  expect((await envoyOf(node)("/buy", { queue: "" })).status?.code).toBe(0);
});
