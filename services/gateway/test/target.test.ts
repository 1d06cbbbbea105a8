import fc from "fast-check";
import { expect, test } from "vitest";
import { isProblem } from "../src/listener/door.ts";
import { readTarget } from "../src/listener/target.ts";

/** Targets made of what attacks are made of. */
const piece = fc.constantFrom(
  ...["/", "/", "/", ".", "..", "\\", "a", "B", ";", "?", "#", "@", ":", " ", "%"],
  ...["%2e", "%2E", "%2f", "%5C", "%00", "%0a", "%7f", "%25", "%252f", "%c3%a9", "%c0%af", "%ff", "%efBBbf"],
  ...["http://evil/", "evil.example", "\t", "\n", "é", "[", "]", '"', "|"],
);
const target = fc.array(piece, { maxLength: 12, size: "max" }).map((pieces) => `/${pieces.join("")}`);

test("whatever passes leads to this origin, and to the same path however it is resolved and decoded", () => {
  let passed = 0;
  fc.assert(
    fc.property(target, (raw) => {
      const read = readTarget(raw);
      if (isProblem(read)) return;
      passed += 1;
      const url = new URL(raw, "http://origin.example");
      expect(url.origin).toBe("http://origin.example");
      expect(decodeURIComponent(url.pathname).replace(/\/+/g, "/")).toBe(read.path);
      expect(read.path.split("/")).not.toContain("..");
      // Resolved once more, as a service would that decodes first: still the same.
      expect(decodeURI(new URL(encodeURI(read.path), "http://origin.example").pathname)).toBe(read.path);
      expect(raw).toBe(read.query === undefined ? raw : `${raw.slice(0, raw.indexOf("?"))}?${read.query}`);
    }),
    { numRuns: 20_000 },
  );
  expect(passed, "and enough pass for this to mean something").toBeGreaterThan(1_000);
});

test("nothing passes that is not a path", () => {
  for (const raw of ["", "*", "a", "http://a/", "evil.example:443", "?a", "\\\\evil", " /", "//", "/\\"])
    expect(readTarget(raw), raw).toHaveProperty("reason");
});
