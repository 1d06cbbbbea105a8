// What the file may say of the gateway's edge: pages of other origins, and how long answers and connections may take.

import { expect, test } from "vitest";
import type { Config } from "../src/config/config.ts";
import { parseConfig } from "../src/config/load.ts";

const parse = (text: string): Config =>
  parseConfig(`services: { s: { url: http://h } }\n${text}`, { name: "usher.yaml", directory: "/etc/usher" });
const route = (more: string): string => `routes: [{ match: /*, service: s${more} }]`;

test("origins are kept as browsers send them; by default there are none", () => {
  const { allowed_origins } = parse(
    `allowed_origins: ["HTTPS://Shop.example:443", http://localhost:5173]\n${route("")}`,
  );
  expect(allowed_origins).toEqual(["https://shop.example", "http://localhost:5173"]);
  expect(parse(route("")).allowed_origins).toEqual([]);
});

test.each([
  ['["*"]', 'allowed_origins[0] (line 2): "*" would let any page act for its visitors'],
  ['["https://*.example"]', "would let any page act"],
  ['["null"]', 'allowed_origins[0] (line 2): "null" is not an http or https address'],
  ["[https://a.example/path]", "has more than scheme, host and port"],
  ["https://a.example", "allowed_origins (line 2): "],
])("allowed_origins: %s is refused in words", (origins, words) => {
  expect(() => parse(`allowed_origins: ${origins}\n${route("")}`)).toThrow(words);
});

test("a route says how long silence may last, and whether connections may go on in another protocol", () => {
  expect(parse(route(", silence: 5m, upgrade: true")).routes[0]).toMatchObject({
    silence_ms: 300_000,
    upgrade: true,
  });
  expect(parse(route("")).routes[0]).toMatchObject({ silence_ms: undefined, upgrade: false });
  expect(() => parse(route(", silence: 0s"))).toThrow("is too short; give a duration from 1s to 1d");
  expect(() => parse(route(", upgrade: websocket"))).toThrow("give true or false");
});
