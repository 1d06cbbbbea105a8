// Two kinds of tests. Those of a piece run first, side by side, at least two files at once; those that start whole programs, kill them, or load
// the machine come after, at most two files at once, so that they do not starve each other into time-outs.

import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

/** What crosses boundaries, and the crash and burst tests and those with a Kafka beside the pieces. */
const PROGRAMS = ["test/!(structure)/**/*.test.ts", "**/*{crash,burst,kafka}*.test.ts"];
const NEVER = ["**/node_modules/**"];

// From 1 on: with the default order, 0, vitest puts a project with one worker after all others.
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    allowOnly: false,
    globalSetup: "test/support/run-folder.ts",
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "pieces",
          include: ["**/*.test.ts"],
          exclude: [...NEVER, ...PROGRAMS],
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "programs",
          include: PROGRAMS,
          exclude: NEVER,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
