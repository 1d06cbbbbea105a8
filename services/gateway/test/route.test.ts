// Which route a request goes by; and that no spelling of a path gets round a queue.

import { expect, test } from "vitest";
import { isProblem } from "../src/listener/door.ts";
import { readTarget } from "../src/listener/target.ts";
import { type Route, Routes } from "../src/route.ts";

const REST = {
  ...{ service: "shop", hold_ms: 0, timeout_ms: 1_000, idempotent: false },
  ...{ body_bytes: 1_000, response_bytes: 1_000 },
};
const ORDERS: Route = { ...REST, methods: ["POST"], path: "/orders", queue: "orders" };
const CHECKOUT: Route = { ...REST, path: "/checkout/*", queue: "checkout" };
const OPEN: Route = { ...REST, path: "/*" };

function routeOf(routes: readonly Route[], request: string, ...lines: string[]): Route | string | undefined {
  const [method = "", raw = ""] = request.split(" ");
  const target = readTarget(raw);
  if (isProblem(target)) return target.reason;
  return new Routes(routes).find({ method, path: target.path, lines });
}

test("the first route that fits counts", () => {
  const routes = [ORDERS, CHECKOUT, OPEN];
  expect(routeOf(routes, "POST /orders")).toBe(ORDERS);
  expect(routeOf(routes, "GET /orders")).toBe(OPEN);
  expect(routeOf(routes, "POST /orders/1")).toBe(OPEN);
  expect(routeOf(routes, "PUT /checkout/a/b?c=/orders")).toBe(CHECKOUT);
  expect(routeOf(routes, "GET /checkout")).toBe(CHECKOUT);
  expect(routeOf(routes, "GET /checkouts")).toBe(OPEN);
  expect(routeOf([ORDERS, CHECKOUT], "GET /")).toBeUndefined();
});

test("GET means HEAD as well, and no other method means another", () => {
  const route: Route = { ...REST, methods: ["GET", "PUT"], path: "/a" };
  const fitting = ["GET", "HEAD", "PUT", "POST", "OPTIONS", "DELETE"].filter(
    (method) => routeOf([route], `${method} /a`) === route,
  );
  expect(fitting).toEqual(["GET", "HEAD", "PUT"]);
  expect(routeOf([{ ...route, methods: ["HEAD"] }], "GET /a")).toBeUndefined();
});

test.each([
  ["POST /orders", "as it is written"],
  ["POST /orders?a=1", "with a query"],
  ["POST /%6Frders", "with an encoded letter"],
  ["POST /%256Frders", "encoded twice"],
  ["POST /orders/", "with a slash at its end"],
  ["POST /orders//", "with two"],
  ["POST /Orders", "in another case"],
  ["POST /ORDERS/", "in another case, with a slash"],
  ["POST /orders;v=1", "with a parameter"],
  ["POST /orders;", "with an empty parameter"],
  ["POST /orders;a=/", "with a parameter and a slash"],
  ["POST /orders%3Bv=1", "with an encoded parameter"],
  ["POST /%25256Frders", "encoded three times"],
  ["POST /orders%3Fa", "with an encoded question mark"],
  ["POST /orders%23a", "with an encoded fragment"],
  ["POST /orders.", "with a dot at its end"],
  ["POST /orders%2e", "with an encoded dot"],
  ["POST /orders%252e%20.", "with dots and a space, encoded once and twice"],
  ["POST /orders%20", "with a space at its end"],
  ["POST /orders./", "with a dot, and a slash"],
  ["POST /orders.;a=b", "with a dot, and a parameter"],
  ["POST /%EF%BD%8Frders", "with a letter of full width"],
  ["POST /%25EF%25BD%258Frders", "with a letter of full width that is encoded twice"],
  ["POST /order%C5%BF", "with a long s"],
  ["POST /orders%E2%80%8B", "with a space without a width"],
  ["POST /or%C2%ADders%E2%81%A0.", "with a soft hyphen, a word joiner and a dot"],
  ["POST /orders%EF%BC%9Ba", "with a semicolon of full width"],
  ["POST /%EF%BC%856Frders", "with an escape whose % is of full width"],
])("%s, %s, waits in the queue of POST /orders", (request) => {
  expect(routeOf([ORDERS, OPEN], request)).toBe(ORDERS);
});

test.each([
  ["POST /checkout/../orders", "target_ambiguous"],
  ["POST /%2e%2e/orders", "target_ambiguous"],
  ["POST /./orders", "target_ambiguous"],
  ["POST /..;/orders", "target_ambiguous"],
  ["POST /x/..%3F/orders", "target_ambiguous"],
  ["POST /a%2f..%2forders", "target_ambiguous"],
  ["POST /%2Forders", "target_ambiguous"],
  ["POST /a\\..\\orders", "target_ambiguous"],
  ["POST /%5corders", "target_ambiguous"],
  ["POST //orders", "target_not_path"],
  ["POST /x/%252e%252e/orders", "target_ambiguous"],
  ["POST /x/%252e./orders", "target_ambiguous"],
  ["POST /x/.%2525%32e;/orders", "target_ambiguous"],
  ["POST /x%25/%252e%252e/orders", "target_ambiguous"],
  ["POST /x%25ff%252e%252e%252forders", "target_ambiguous"],
  ["POST /orders%252F", "target_ambiguous"],
  ["POST /orders%25252F", "target_ambiguous"],
  ["POST /orders%255c", "target_ambiguous"],
  ["POST /orders;a%252fb", "target_ambiguous"],
  ["POST /orders%253Ba", "target_ambiguous"],
  ["POST /orders%253fa", "target_ambiguous"],
  ["POST /orders%2523a", "target_ambiguous"],
  ["POST /orders%2500", "target_ambiguous"],
  ["POST /\\orders", "target_not_path"],
  ["POST /x/..%20/orders", "target_ambiguous"],
  ["POST /x/%EF%BC%8E%EF%BC%8E/orders", "target_ambiguous"],
  ["POST /x/.%E2%80%8B./orders", "target_ambiguous"],
  ["POST /x/%25EF%25BC%258E%25EF%25BC%258E/orders", "target_ambiguous"],
  ["POST /orders%00", "target_malformed"],
  ["POST /orders%", "target_malformed"],
  ["POST /%ffrders", "target_malformed"],
])("%s is refused before it has a route: %s", (request, reason) => {
  expect(routeOf([ORDERS, OPEN], request)).toBe(reason);
});

test.each([
  ["GET /Checkout/pay", CHECKOUT],
  ["GET /checkout;jsessionid=1/pay", CHECKOUT],
  ["GET /checkout//pay", CHECKOUT],
  ["GET /Checkout/100%25/pay%2525", CHECKOUT],
  ["GET /Checkout/a;b%2541/pay", CHECKOUT],
  ["GET /Checkout%3Fa/b", CHECKOUT],
  ["GET /a;%3F/Checkout", OPEN],
  ["GET /CHECKOUT", CHECKOUT],
  ["GET /checkout./pay", CHECKOUT],
  ["GET /checkout%20/pay", CHECKOUT],
  ["GET /checko%EF%BD%95t/pay", CHECKOUT],
  ["GET /checkout-help", OPEN],
  ["GET /help/checkout", OPEN],
])("%s goes by the route under its wildcard, or by none but the open one", (request, route) => {
  expect(routeOf([CHECKOUT, OPEN], request)).toBe(route);
});

test("a path that leads out of an open route leads into the queue", () => {
  const assets: Route = { ...REST, path: "/assets/*" };
  const rest: Route = { ...REST, path: "/*", queue: "rest" };
  expect(routeOf([assets, rest], "GET /assets/a.css")).toBe(assets);
  expect(routeOf([assets, rest], "GET /assets/A.css/")).toBe(assets);
  expect(routeOf([assets, rest], "POST /Assets/a.css")).toBe(rest);
});

test("a route that says exactly this path has it, whatever else is spelled alike", () => {
  const capital: Route = { ...REST, path: "/Orders" };
  const slash: Route = { ...REST, path: "/orders/" };
  const routes = [ORDERS, capital, slash, OPEN];
  expect(routeOf(routes, "POST /Orders")).toBe(capital);
  expect(routeOf(routes, "POST /orders/")).toBe(slash);
  expect(routeOf(routes, "POST /ORDERS")).toBe(ORDERS);
});

test("of the spellings that services take a path for, one that leads to a queue is enough", () => {
  const parameter: Route = { ...REST, path: "/orders;v=1/*", queue: "parameter" };
  const percent: Route = { ...REST, path: "/%41*", queue: "percent" };
  const open: Route = { ...REST, path: "/orders/*" };
  const routes = [parameter, percent, open, OPEN];
  expect(routeOf(routes, "GET /ORDERS;v=1/a")).toBe(parameter);
  expect(routeOf(routes, "GET /orders;V=2/a")).toBe(parameter);
  expect(routeOf(routes, "GET /%2541b")).toBe(percent);
  expect(routeOf(routes, "GET /x/100%25")).toBe(OPEN);
});

test("a dot before a wildcard closes no more than what begins with it, and one in an open route opens nothing without it", () => {
  const report: Route = { ...REST, path: "/report.*", queue: "report" };
  expect(routeOf([report, OPEN], "GET /report.pdf")).toBe(report);
  expect(routeOf([report, OPEN], "GET /REPORT.")).toBe(report);
  expect(routeOf([report, OPEN], "GET /reports")).toBe(OPEN);
  const dot: Route = { ...REST, path: "/orders." };
  expect(routeOf([dot, ORDERS, OPEN], "POST /orders.")).toBe(dot);
  expect(routeOf([dot, ORDERS, OPEN], "POST /Orders")).toBe(ORDERS);
  expect(routeOf([dot, ORDERS, OPEN], "POST /ORDERS..")).toBe(ORDERS);
});

test("an open route with a parameter opens nothing without it", () => {
  const status: Route = { ...REST, path: "/orders;status" };
  const routes = [status, ORDERS, OPEN];
  expect(routeOf(routes, "POST /orders;status")).toBe(status);
  expect(routeOf(routes, "POST /Orders")).toBe(ORDERS);
  expect(routeOf(routes, "POST /orders;v=1")).toBe(ORDERS);
});

test("where no route fits, another spelling makes none fit", () => {
  expect(routeOf([ORDERS], "POST /Orders")).toBeUndefined();
  expect(routeOf([ORDERS], "POST /orders/")).toBeUndefined();
});

test("a header or a cookie has to be there, or to be exactly so, or not to be there", () => {
  const route: Route = {
    ...{ ...REST, path: "/*" },
    headers: [
      { name: "x-kind", value: "sale" },
      { name: "x-any", value: true },
      { name: "x-none", value: false },
    ],
    cookies: [
      { name: "vip", value: "1" },
      { name: "Seen", value: true },
      { name: "out", value: false },
    ],
  };
  const good = ["X-Kind", "sale", "x-any", "", "Cookie", "a=b; vip=1", "cookie", "Seen=; outer=1"];
  const fits = (...lines: string[]) => routeOf([route], "GET /a", ...lines) === route;
  expect(fits(...good)).toBe(true);
  expect(fits(...good, "x-kind", "other")).toBe(true);
  expect(fits(...good, "X-None", "")).toBe(false);
  expect(fits(...good, "Cookie", " out = 3")).toBe(false);
  for (const [at, value] of [
    [1, "Sale"],
    [1, "sale, other"],
    [2, "x-an"],
    [5, "a=b; vip=12"],
    [5, "a=b; VIP=1"],
    [5, 'a="; vip=1"; vip=2'],
    [7, "seen=1"],
    [7, "Seen"],
  ] as const)
    expect(fits(...good.with(at, value)), value).toBe(false);
});

test("a queue's route that wants a header catches only requests that have it, in every spelling", () => {
  const sale: Route = { ...ORDERS, headers: [{ name: "x-sale", value: true }] };
  expect(routeOf([sale, OPEN], "POST /Orders", "X-Sale", "1")).toBe(sale);
  expect(routeOf([sale, OPEN], "POST /Orders")).toBe(OPEN);
});
