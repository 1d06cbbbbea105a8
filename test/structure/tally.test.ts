import { expect, test } from "vitest";
import { tally } from "../../.ci/tally.mjs";

const file = (status: string, ...tests: string[]) => ({
  name: "a.test.ts",
  message: "",
  status,
  assertionResults: tests.map((test, index) => ({ status: test, fullName: `test ${index}` })),
});

test("tests that passed are counted, and nothing is wrong", () => {
  expect(tally({ testResults: [file("passed", "passed", "passed"), file("passed", "passed")] }, 0)).toEqual({
    passed: 3,
    wrong: [],
  });
});

test.each(["failed", "skipped", "pending", "todo"])("a test that is %s counts as failed", (status) => {
  expect(
    tally({ testResults: [file(status === "failed" ? "failed" : "passed", "passed", status)] }, 0),
  ).toEqual({
    passed: 1,
    wrong: [`${status}: test 1`],
  });
});

test("a file that could not be loaded, or that failed after its tests, counts as failed", () => {
  expect(tally({ testResults: [file("failed", "passed")] }, 1).wrong).toEqual(["failed: a.test.ts"]);
  expect(tally({ testResults: [file("failed"), file("passed", "passed")] }, 1).wrong).toEqual([
    "failed: a.test.ts",
  ]);
});

test("a run without tests, without a report, or with an error outside of the tests has failed", () => {
  expect(tally({ testResults: [] }, 0).wrong).toHaveLength(1);
  expect(tally(undefined, 1).wrong).toHaveLength(1);
  expect(tally({ testResults: [file("passed", "passed")] }, 1).wrong).toHaveLength(1);
});
