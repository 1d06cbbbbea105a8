import { beforeAll, describe, expect, test } from "vitest";
import { type Repository, readRepository, type SourceFile } from "./repository.ts";
import {
  declaresWhatItImports,
  followsTheTable,
  hasNoCycles,
  importsOnlyEntries,
  importsWhatItDeclares,
  leavesTheModelToTesting,
  MAY_IMPORT,
  pureStaysPure,
  type Rule,
  staysInItsWorkspace,
  translatesInNamedFiles,
} from "./rules.ts";
import { importsOf } from "./syntax.ts";

let repository: Repository;
let sources: readonly SourceFile[];

beforeAll(async () => {
  repository = await readRepository();
  sources = repository.files.filter(({ path }) =>
    /^(packages|services|examples|test)\/.*\.(ts|js)$/.test(path),
  );
});

describe("in the repository", () => {
  const rules: Readonly<Record<string, Rule>> = {
    "workspaces import only those that the table allows": followsTheTable,
    "relative imports stay in their workspace": staysInItsWorkspace,
    "workspaces declare what they import": declaresWhatItImports,
    "workspaces import what they declare": importsWhatItDeclares,
    "packages are imported by what they export": importsOnlyEntries,
    "the queue and the traffic monitor are pure": pureStaysPure,
    "only the files named for it translate": translatesInNamedFiles,
    "the client has the model for testing alone": leavesTheModelToTesting,
    "no files load one another in a circle": hasNoCycles,
  };
  for (const [promise, rule] of Object.entries(rules))
    test(promise, () => {
      expect(sources.length).toBeGreaterThan(0);
      expect(rule(sources, repository)).toEqual([]);
    });

  test("every workspace has its row in the table, and every row its workspace", () => {
    expect(repository.workspaces.map(({ name }) => name).sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });
});

describe("a planted fault is found:", () => {
  const faults: readonly [what: string, rule: Rule, path: string, text: string][] = [
    [
      "a package that imports a service",
      followsTheTable,
      "packages/replica/src/a.ts",
      'import "@usher/gateway";',
    ],
    [
      "the model that imports the protocol's types",
      followsTheTable,
      "packages/queue/src/a.ts",
      'import type { Ticket } from "@usher/protocol/queue";',
    ],
    [
      "a service that exports from another",
      followsTheTable,
      "services/gateway/src/a.ts",
      'export { serve } from "@usher/usher";',
    ],
    [
      "a type that is imported in place",
      followsTheTable,
      "packages/traffic/src/a.ts",
      'type A = import("@usher/queue").Queue;',
    ],
    [
      "a path into another package",
      staysInItsWorkspace,
      "packages/replica/src/a.ts",
      'import { fold } from "../../queue/src/queue.ts";',
    ],
    [
      "a worker of another package",
      staysInItsWorkspace,
      "packages/replica/src/a.ts",
      'new Worker(new URL("../../ticket-log/src/worker.ts", import.meta.url));',
    ],
    [
      "a path from a workspace to the root's tests",
      staysInItsWorkspace,
      "packages/queue/test/a.ts",
      'import { x } from "../../../test/acceptance/x.ts";',
    ],
    [
      "a path from the root's tests into a package",
      staysInItsWorkspace,
      "test/acceptance/a.ts",
      'const queue = await import("../../packages/queue/src/queue.ts");',
    ],
    ["an import that is computed", staysInItsWorkspace, "packages/replica/src/a.ts", "await import(name);"],
    ["an undeclared package", declaresWhatItImports, "packages/queue/src/a.ts", 'import { z } from "zod";'],
    [
      "a tool of the tests in what is shipped",
      declaresWhatItImports,
      "packages/queue/src/a.ts",
      'import fc from "fast-check";',
    ],
    [
      "a path past a workspace's exports",
      importsOnlyEntries,
      "packages/replica/src/a.ts",
      'import { fold } from "@usher/queue/src/queue.ts";',
    ],
    [
      "a workspace that is not there",
      importsOnlyEntries,
      "packages/replica/src/a.ts",
      'import "@usher/telemetry-that-is-not";',
    ],
    [
      "a path into a package without exports",
      importsOnlyEntries,
      "services/queue/src/a.ts",
      'import { Server } from "@grpc/grpc-js/build/src/server.js";',
    ],
    [
      "the disk in the model",
      pureStaysPure,
      "packages/queue/src/a.ts",
      'import { readFileSync } from "node:fs";',
    ],
    [
      "a clock in the model",
      pureStaysPure,
      "packages/queue/src/a.ts",
      "export const now = () => Date.now();",
    ],
    [
      "another clock in the monitor",
      pureStaysPure,
      "packages/traffic/src/a.ts",
      "const { now } = performance;",
    ],
    [
      "chance in the model",
      pureStaysPure,
      "packages/queue/src/a.ts",
      "export const luck = () => Math.random();",
    ],
    ["a timer in the monitor", pureStaysPure, "packages/traffic/src/a.ts", "setTimeout(() => {}, 1);"],
    [
      "the model in the client",
      leavesTheModelToTesting,
      "packages/sdk/src/client/a.ts",
      'import type { Queue } from "@usher/queue";',
    ],
    [
      "what has the model, in the client",
      leavesTheModelToTesting,
      "packages/sdk/src/index.ts",
      'export { createTestQueues } from "./testing.ts";',
    ],
    [
      "records read outside of the codec",
      translatesInNamedFiles,
      "packages/replica/src/desk.ts",
      'import { RecordSchema } from "@usher/protocol/log";',
    ],
    [
      "error details made outside of the errors",
      translatesInNamedFiles,
      "packages/replica/src/desk.ts",
      'import { ErrorInfoSchema } from "@usher/protocol/error-details";',
    ],
    [
      "records read in a codec of another workspace",
      translatesInNamedFiles,
      "services/usher/src/codec.ts",
      'import { RecordSchema } from "@usher/protocol/log";',
    ],
  ];
  test.each(faults)("%s", (_, rule, path, text) => {
    expect(rule([{ path, text }], repository)).toEqual([expect.stringContaining(`${path}: `)]);
  });

  test("what supports the tests, in what is shipped; a test may have it", () => {
    const text = 'import { x } from "../../../test/support/x.ts";';
    expect(staysInItsWorkspace([{ path: "packages/queue/src/a.ts", text }], repository)).toHaveLength(1);
    expect(staysInItsWorkspace([{ path: "packages/queue/test/a.ts", text }], repository)).toEqual([]);
  });

  test("the Kafka of the tests, in what is shipped; a test may have it", () => {
    const text = 'import { startKafka } from "@usher/local-kafka";';
    for (const rule of [followsTheTable, declaresWhatItImports]) {
      expect(rule([{ path: "packages/ticket-log/src/a.ts", text }], repository)).toHaveLength(1);
      expect(rule([{ path: "packages/ticket-log/test/a.ts", text }], repository)).toEqual([]);
    }
  });

  test("a declared package that nobody imports", () => {
    expect(importsWhatItDeclares([], repository)).toContainEqual(expect.stringContaining("declares undici"));
  });

  test("files in a circle, by the way around it, and only where it is closed at run time", () => {
    const file = (name: string, text: string) => ({ path: `packages/queue/src/${name}.ts`, text });
    const open = [
      file("a", 'import { b } from "./b.ts";'),
      file("b", 'export { c } from "./c.ts";'),
      file("c", 'import type { A } from "./a.ts"; const a = () => import("./a.ts");'),
    ];
    expect(hasNoCycles(open, repository)).toEqual([]);
    expect(hasNoCycles([...open.slice(0, 2), file("c", 'import "./a.ts";')], repository)).toEqual([
      "packages/queue/src/a.ts -> packages/queue/src/b.ts -> packages/queue/src/c.ts -> packages/queue/src/a.ts",
    ]);
    expect(
      hasNoCycles([file("index", 'import "./a.ts";'), file("a", 'import "@usher/queue";')], repository),
    ).toHaveLength(1);
  });
});

test("imports are read from code, in each of their forms, and not from comments and strings", () => {
  const text = `
    import type { A } from "a"; import { type B } from "b"; export type { C } from "c"; import "d"; export * as e from "e";
    type F = import("f").F; const g = await import("g"); const h = new URL("./h.ts", import.meta.url);
    // import "no"
    const no = 'import "no"; import("no")';`;
  expect(
    importsOf({ path: "x.ts", text })
      .map(({ specifier, kind }) => `${kind} ${specifier}`)
      .sort(),
  ).toEqual(
    ["type a", "value b", "type c", "value d", "value e", "type f", "dynamic g", "url ./h.ts"].sort(),
  );
});

test("a use of what is no global is left alone", () => {
  const text = "export const a = { process: 1, performance: 2 }; export const b = a.process + a.performance;";
  expect(pureStaysPure([{ path: "packages/queue/src/a.ts", text }], repository)).toEqual([]);
});
