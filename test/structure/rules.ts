// Who may import whom, and what the pure packages may touch. Each rule takes files and returns what breaks it, as
// "path: why", so that the tests can run it on the repository and on files planted to break it.

import { createRequire } from "node:module";
import { join, posix } from "node:path";
import { isTest, type Repository, ROOT, type SourceFile, workspaceOf } from "./repository.ts";
import { globalsIn, type Import, importsOf } from "./syntax.ts";

export type Rule = (files: readonly SourceFile[], repository: Repository) => string[];

const PACKAGES = ["@usher/protocol", "@usher/queue", "@usher/traffic", "@usher/ticket-log", "@usher/replica"];

/** The table: each workspace, and the workspaces that it may import. An example is a stranger: it may use what a
 * customer may. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "@usher/protocol": [],
  "@usher/queue": [],
  "@usher/traffic": [],
  "@usher/ticket-log": [],
  "@usher/telemetry": [],
  "@usher/sdk": ["@usher/protocol", "@usher/queue"],
  "@usher/replica": ["@usher/protocol", "@usher/queue", "@usher/traffic", "@usher/ticket-log"],
  "@usher/gateway": [...PACKAGES, "@usher/telemetry"],
  "@usher/queue-service": PACKAGES,
  "@usher/usher": [...PACKAGES, "@usher/telemetry", "@usher/gateway", "@usher/queue-service"],
  "@usher/local-kafka": [],
  "@usher/box-office": ["@usher/protocol", "@usher/sdk", "@usher/local-kafka"],
  "@usher/report": ["@usher/protocol"],
};

/** Workspaces that the tests of every workspace may import, like the root's tools, and nobody ships. */
const FOR_TESTS = new Set(["@usher/local-kafka"]);

/** No I/O, no clock, no chance: the same input, the same output, on every node. */
const PURE = ["packages/queue/src/", "packages/traffic/src/"];
const IMPURE_GLOBALS = new Set([
  ...["Date", "performance", "Math.random", "crypto"],
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"],
  ...["process", "globalThis", "console", "fetch"],
]);

/** Where the replica translates: records into the model's events, its refusals into errors on the wire. Nobody else of
 * ours reads records, but strangers may, as the example of one does; error details are for every client to read. */
const TRANSLATED_IN: Readonly<Record<string, RegExp>> = {
  "@usher/protocol/log": /^packages\/replica\/src\/(.+\/)?codec\.ts$|^examples\//,
  "@usher/protocol/error-details": /^(?!packages\/replica\/)|\/errors\.ts$/,
};

export const followsTheTable: Rule = (files, repository) =>
  importsIn(files, ({ specifier }, file) => {
    const own = workspaceOf(file.path, repository);
    const { name } = parts(specifier);
    if (own === undefined || !name.startsWith("@usher/") || name === own.name) return undefined;
    const allowed = MAY_IMPORT[own.name];
    if (allowed === undefined) return `${own.name} is not in the table of rules.ts`;
    if (FOR_TESTS.has(name) && isTest(file.path)) return undefined;
    return allowed.includes(name) ? undefined : `${own.name} may not import ${name}`;
  });

export const staysInItsWorkspace: Rule = (files, repository) =>
  importsIn(files, ({ specifier, kind }, file) => {
    const own = workspaceOf(file.path, repository);
    // What an example starts is a program, and the tests of the root start programs too.
    if (kind === "url" && !/^(packages|services)\//.test(file.path)) return undefined;
    // A test may load a copy of what it tests, with a fault planted in it.
    if (specifier === "")
      return isTest(file.path) ? undefined : "imports something that is not a plain string";
    if (!specifier.startsWith(".")) return undefined;
    const target = posix.join(posix.dirname(file.path), specifier);
    if (isTest(file.path) && target.startsWith("test/support/")) return undefined;
    // The contract's own words are for every test to read.
    if (isTest(file.path) && kind === "url" && target.startsWith("proto/")) return undefined;
    return workspaceOf(target, repository) === own && !target.startsWith("..")
      ? undefined
      : `${specifier} is in another workspace; import it by its name`;
  });

export const declaresWhatItImports: Rule = (files, repository) =>
  importsIn(files, ({ specifier, kind }, { path }) => {
    const own = workspaceOf(path, repository);
    const { name } = parts(specifier);
    if (own === undefined || specifier === "" || !isPackage(specifier)) return undefined;
    if (kind === "url" || name === own.name || name in own.dependencies) return undefined;
    if (isTest(path) && (name in repository.devDependencies || FOR_TESTS.has(name))) return undefined;
    return `${name} is not among the dependencies of ${own.folder}/package.json`;
  });

export const importsWhatItDeclares: Rule = (files, repository) =>
  repository.workspaces.flatMap(({ name, folder, dependencies }) => {
    const used = new Set(
      files
        .filter(({ path }) => path.startsWith(`${folder}/`))
        .flatMap((file) => importsOf(file).map(({ specifier }) => parts(specifier).name)),
    );
    return Object.keys(dependencies)
      .filter((dependency) => !used.has(dependency))
      .map((dependency) => `${folder}/package.json: ${name} declares ${dependency} and does not import it`);
  });

export const importsOnlyEntries: Rule = (files, repository) =>
  importsIn(files, ({ specifier, kind }) => {
    const { name, entry } = parts(specifier);
    if (!isPackage(specifier) || kind === "url" || specifier === "") return undefined;
    const ours = repository.workspaces.find((workspace) => workspace.name === name);
    if (ours !== undefined)
      return ours.entries.has(entry) ? undefined : `${name} does not export "${entry || "."}"`;
    if (name.startsWith("@usher/")) return `there is no workspace ${name}`;
    return entry === "" || exportsEntries(name)
      ? undefined
      : `${specifier} reaches past the entry of ${name}`;
  });

export const pureStaysPure: Rule = (files) =>
  files
    .filter(({ path }) => PURE.some((folder) => path.startsWith(folder)))
    .flatMap((file) => [
      ...importsIn([file], ({ specifier, kind }) =>
        specifier.startsWith(".") && kind !== "dynamic" && kind !== "url"
          ? undefined
          : `not pure: imports ${specifier}`,
      ),
      ...new Set(
        globalsIn(file)
          .filter((name) => IMPURE_GLOBALS.has(name))
          .map((name) => `${file.path}: not pure: uses ${name}`),
      ),
    ]);

export const translatesInNamedFiles: Rule = (files) =>
  importsIn(files, ({ specifier }, { path }) => {
    const where = TRANSLATED_IN[specifier];
    if (where === undefined || where.test(path) || isTest(path)) return undefined;
    return `${specifier} is for the files that translate (${where.source})`;
  });

/** The part of the client that has the model, for its users' tests. */
const TESTING = /^packages\/sdk\/src\/testing(\.ts$|\/)/;

/** What the client ships to pages and services knows the model by the contract alone. */
export const leavesTheModelToTesting: Rule = (files) =>
  importsIn(files, ({ specifier }, { path }) => {
    if (!path.startsWith("packages/sdk/") || TESTING.test(path)) return undefined;
    const target = posix.join(posix.dirname(path), specifier);
    const isTestings = specifier.startsWith(".") && TESTING.test(target) && !isTest(path);
    return specifier === "@usher/queue" || isTestings
      ? `${specifier} is for the entry ./testing of the client`
      : undefined;
  });

/** Cycles of files that load one another at run time, each once, as the path around it. */
export const hasNoCycles: Rule = (files, repository) => {
  const loads = new Map(files.map((file) => [file.path, loadedBy(file, repository)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const next of loads.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of loads.keys()) visit(path, []);
  return cycles;
};

function loadedBy(file: SourceFile, { workspaces }: Repository): string[] {
  return importsOf(file)
    .filter(({ kind }) => kind === "value")
    .flatMap(({ specifier }) => {
      if (specifier.startsWith(".")) return [posix.join(posix.dirname(file.path), specifier)];
      const { name, entry } = parts(specifier);
      return workspaces.find((workspace) => workspace.name === name)?.entries.get(entry) ?? [];
    });
}

function importsIn(
  files: readonly SourceFile[],
  judge: (imported: Import, file: SourceFile) => string | undefined,
): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((imported) => {
      const wrong = judge(imported, file);
      return wrong === undefined ? [] : [`${file.path}: ${wrong}`];
    }),
  );
}

function isPackage(specifier: string): boolean {
  return !specifier.startsWith(".") && !specifier.startsWith("node:");
}

/** `@usher/protocol/log`: the name `@usher/protocol`, the entry `/log`. */
function parts(specifier: string): { name: string; entry: string } {
  const length = specifier.startsWith("@") ? 2 : 1;
  const name = specifier.split("/").slice(0, length).join("/");
  return { name, entry: specifier.slice(name.length) };
}

/** Whether a package says itself what of it may be imported; Node then holds importers to it. */
function exportsEntries(name: string): boolean {
  const folders = createRequire(join(ROOT, "package.json")).resolve.paths(name) ?? [];
  for (const folder of folders)
    try {
      const manifest: unknown = createRequire(join(ROOT, "package.json"))(join(folder, name, "package.json"));
      return typeof manifest === "object" && manifest !== null && "exports" in manifest;
    } catch {
      // Not in this folder.
    }
  return false;
}
