// Trouble that lasts: told once when it has begun and once when it is over.

import { expect, it } from "vitest";
import { Health } from "../src/kafka/health.ts";
import { LogError } from "../src/log.ts";

const [UNREACHED, DENIED] = [new LogError("unavailable", "away"), new LogError("misconfigured", "denied")];

/** What a health tells, that is told what a test says. It tells in a turn of its own, so what it has told is read later. */
function health() {
  const told: string[] = [];
  return {
    told: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return told.splice(0);
    },
    health: new Health({
      trouble_ms: 0,
      onFault: ({ message }) => told.push(message),
      onMended: (message) => told.push(message),
    }),
  };
}

it("is told once, however many parts meet it, and over when the last is well", async () => {
  const { told, health: parts } = health();
  for (const part of ["reading", "writing", "reading"]) parts.trouble(part, UNREACHED);
  expect(await told()).toEqual(["away"]);
  parts.well("reading");
  expect(await told()).toEqual([]);
  parts.well("writing");
  expect(await told()).toEqual(["writing again"]);
});

it("that becomes another and is over is told anew when it comes again, each of the two", async () => {
  const { told, health: parts } = health();
  parts.trouble("reading", UNREACHED);
  parts.trouble("reading", DENIED);
  expect(await told()).toEqual(["away", "denied"]);
  parts.well("reading");
  expect(await told()).toEqual(["reading again"]);
  parts.trouble("reading", UNREACHED);
  expect(await told()).toEqual(["away"]);
  parts.trouble("reading", DENIED);
  expect(await told()).toEqual(["denied"]);
});

it("that becomes another for one part, and stays for another, is not told again", async () => {
  const { told, health: parts } = health();
  for (const part of ["reading", "writing"]) parts.trouble(part, UNREACHED);
  parts.trouble("reading", DENIED);
  parts.trouble("reading", UNREACHED);
  expect(await told()).toEqual(["away", "denied"]);
});
