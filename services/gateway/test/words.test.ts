// What the waiting page says of a wait, in both languages.

import { expect, test } from "vitest";
import { WORDS } from "../src/waiting/pass/page/words.ts";

for (const [from, to, en, ko] of [
  [0, 0, "less than a minute", "1분 이내"],
  [0, 1, "less than a minute", "1분 이내"],
  [0, 4, "up to 4 minutes", "4분 이내"],
  [3, 6, "3 to 6 minutes", "3~6분"],
  [6, 6, "6 minutes", "6분"],
  [60, 90, "60 to 90 minutes", "60~90분"],
  [61, 118, "1 to 2 hours", "1~2시간"],
  [10, 100, "0.5 to 1.5 hours", "0.5~1.5시간"],
  [600, 610, "10 hours", "10시간"],
] as const)
  test(`from ${from} to ${to} minutes is a range that people can use`, () => {
    expect(WORDS.en.minutes({ from, to })).toBe(en);
    expect(WORDS.ko.minutes({ from, to })).toBe(ko);
  });

test("whoever gets no place is told why in both languages, for every reason there is", () => {
  expect(Object.keys(WORDS.ko.refused)).toEqual(Object.keys(WORDS.en.refused));
  for (const { refused } of Object.values(WORDS))
    for (const [heading, text] of Object.values(refused)) expect([heading, text]).not.toContain("");
});
