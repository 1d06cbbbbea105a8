// Routes that no request ever takes: told by the file's check, held against the gateway's own rules.

import { Routes } from "@usher/gateway";
import { expect, test } from "vitest";
import { parseConfig } from "../src/config/load.ts";
import { referenceProblems } from "../src/config/references.ts";

interface Written {
  readonly match: string;
  readonly queue?: string;
}

/** What the file is told to be wrong with: which routes, and in which words. */
function mistakes(routes: readonly Written[]): Map<number, string> {
  const problems = referenceProblems({
    services: { s: {} },
    queues: { p: {}, q: {} },
    routes: routes.map(({ match, queue }) => ({ match, service: "s", queue })),
  });
  return new Map(problems.map(({ path, text }) => [Number(path[1]), text]));
}

test.each<[string, string, Written, Written]>([
  ["case", "/Checkout/* first", { match: "/Checkout/*", queue: "q" }, { match: "/checkout/*" }],
  [
    "case, and another queue",
    "/API/* first",
    { match: "/API/*", queue: "q" },
    { match: "/api/v1*", queue: "p" },
  ],
  ["parameters", "/api;v=1/* first", { match: "/api;v=1/*", queue: "q" }, { match: "/api/*" }],
  ["case, of one method", "/A/* first", { match: "/A/*", queue: "q" }, { match: "GET /a/*" }],
])(
  "a route that a queue's route leaves nothing to but for spelling (%s) is refused: %s",
  (_, __, one, other) => {
    const problems = mistakes([one, other]);
    expect([...problems.keys()]).toEqual([1]);
    expect(problems.get(1)).toMatch(
      /^".*" is matched in another spelling by routes\[0\] \(".*"\), and all of its requests wait in the queue of that, .*; keep one of the two, or name paths one by one, without a \*$/,
    );
  },
);

test("an open route with parameters is refused for a queue's route without them, even one behind it", () => {
  const problems = mistakes([{ match: "/api;v=1/*" }, { match: "/api/*", queue: "q" }]);
  expect(problems.get(0)).toMatch(/matched in another spelling by routes\[1\] \("\/api\/\*"\)/);
});

test("the place of the mistake is told, with its line", () => {
  const text = [
    "services: { s: { url: http://h } }",
    "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }",
    "routes:",
    "- { match: /A/*, service: s, queue: q }",
    "- { match: /a/*, service: s }",
  ].join("\n");
  expect(() => parseConfig(text, { name: "usher.yaml", directory: "/etc/usher" })).toThrow(
    /^usher\.yaml: routes\[1\]\.match \(line 5\): "\/a\/\*" is matched in another spelling by routes\[0\]/,
  );
});

test.each<[string, readonly Written[]]>([
  ["says its path exactly", [{ match: "/A", queue: "q" }, { match: "/a" }, { match: "/a/" }]],
  ["comes before a queue's", [{ match: "/a/*" }, { match: "/A/*", queue: "q" }]],
  ["is spelled as an open one", [{ match: "/A/*" }, { match: "/a/*", queue: "q" }]],
  ["has another method", [{ match: "POST /A/*", queue: "q" }, { match: "GET /a/*" }]],
  ["has more than the queue's", [{ match: "/A/b/*", queue: "q" }, { match: "/a/*" }]],
])("a route that %s is left alone", (_, routes) => {
  expect(mistakes(routes).size).toBe(0);
  expect(neverTaken(routes)).toEqual([]);
});

test("a route is left alone that a queue's route takes only some requests of, by a header", () => {
  const text = [
    "services: { s: { url: http://h } }",
    "queues: { q: { kind: defer, limit: { max_active: 1 }, max_wait: 1m } }",
    "routes:",
    "- { match: { path: /A/*, headers: { x-a: true } }, service: s, queue: q }",
    "- { match: /a/*, service: s }",
  ].join("\n");
  expect(parseConfig(text, { name: "usher.yaml", directory: "/etc/usher" }).routes).toHaveLength(2);
});

const PATHS = ["/*", "/a*", "/A*", "/a/*", "/A/*", "/a;v/*", "/a;v*", "/A/b/*", "/a/b;v*", "/a", "/A/"];
const SEGMENTS = ["a", "A", "ab", "Ab", "b", "B", "a;v", "A;v", "a;w", "b;v", "a;vb", "bc"];
const ASKED = [
  "/",
  ...SEGMENTS.flatMap((first) => [
    `/${first}`,
    `/${first}/`,
    ...SEGMENTS.map((second) => `/${first}/${second}`),
  ]),
];

/** Routes that no path leads to, by the gateway. */
function neverTaken(written: readonly Written[]): number[] {
  const rest = {
    service: "s",
    hold_ms: 0,
    timeout_ms: 1,
    idempotent: false,
    body_bytes: 0,
    response_bytes: 0,
  };
  const routes = written.map(({ match, queue }) => {
    const [path = "", ...methods] = match.split(" ").toReversed();
    return { ...rest, path, queue, methods: methods.length === 0 ? undefined : methods };
  });
  const found = new Routes(routes);
  const taken = new Set(
    ["GET", "POST"].flatMap((method) => ASKED.map((path) => found.find({ method, path, lines: [] }))),
  );
  return routes.flatMap((route, at) => (taken.has(route) ? [] : [at]));
}

const ROUTES: readonly Written[] = PATHS.flatMap((match) => [{ match }, { match, queue: "q" }]);

const REST: Written = { match: "/*" };

/** Those that are told to be hidden, where the gateway may see it otherwise: what has an earlier one's very match is a
 * mistake in any case. */
function hidden(routes: readonly Written[]): number[] {
  return [...mistakes(routes)].flatMap(([at, text]) => (text.includes("already") ? [] : [at]));
}

test("of any two routes before one for the rest, those are refused that the gateway never finds, and no others", () => {
  for (const one of ROUTES)
    for (const other of ROUTES) {
      const routes = [one, other, REST];
      const never = neverTaken(routes);
      expect([routes, hidden(routes).filter((at) => !never.includes(at))]).toEqual([routes, []]);
      const told = mistakes(routes);
      expect([routes, never.filter((at) => !told.has(at))]).toEqual([routes, []]);
    }
});

test("of any three routes, none is refused for its spelling that the gateway finds", () => {
  const some = ROUTES.filter(({ match }) => ["/a/*", "/A/*", "/a;v/*", "/A/b/*", "/*"].includes(match));
  for (const one of some)
    for (const other of some)
      for (const third of some) {
        const routes = [one, other, third];
        const told = hidden(routes);
        const never = told.length === 0 ? [] : neverTaken(routes);
        expect([routes, told.filter((at) => !never.includes(at))]).toEqual([routes, []]);
      }
});
