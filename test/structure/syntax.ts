// What the rules read from a file of TypeScript: what it imports, and the globals that it uses. By the parser that
// vitest brings, since the TypeScript compiler has no settled interface for programs.

import { type ESTree, parseSync } from "vite";
import type { SourceFile } from "./repository.ts";

export interface Import {
  /** What stands in the quotes. */
  readonly specifier: string;
  /** `value`: loaded at run time, with the file. `type`: erased. `dynamic`: loaded at run time, when called.
   * `url`: a file beside this one that is started, such as a worker. */
  readonly kind: "value" | "type" | "dynamic" | "url";
}

export function importsOf(file: SourceFile): readonly Import[] {
  let imports = known.get(file);
  if (imports === undefined) {
    imports = [...nodesOf(parse(file))].flatMap((node) => importIn(node) ?? []);
    known.set(file, imports);
  }
  return imports;
}

/** Every rule asks for the imports of every file; each is parsed once. */
const known = new WeakMap<SourceFile, readonly Import[]>();

/** Names of globals, `Math.random` by its two names, as far as they are used as values or types. */
export function globalsIn(file: SourceFile): string[] {
  const names: string[] = [];
  for (const node of nodesOf(parse(file))) {
    if (node.type === "Identifier") names.push(node.name);
    if (
      node.type === "MemberExpression" &&
      node.object.type === "Identifier" &&
      node.property.type === "Identifier"
    )
      names.push(`${node.object.name}.${node.property.name}`);
  }
  return names;
}

function importIn(node: ESTree.Node): Import | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return { specifier: node.source.value, kind: node.importKind === "type" ? "type" : "value" };
    case "ExportAllDeclaration":
      return { specifier: node.source.value, kind: node.exportKind === "type" ? "type" : "value" };
    case "ExportNamedDeclaration":
      if (node.source === null) return undefined;
      return { specifier: node.source.value, kind: node.exportKind === "type" ? "type" : "value" };
    case "ImportExpression":
      return { specifier: literal(node.source) ?? "", kind: "dynamic" };
    case "TSImportType":
      return { specifier: node.source.value, kind: "type" };
    case "NewExpression": {
      const [target, base] = node.arguments;
      const beside = base?.type === "MemberExpression" && base.object.type === "MetaProperty";
      const specifier = target === undefined ? undefined : literal(target);
      if (
        node.callee.type !== "Identifier" ||
        node.callee.name !== "URL" ||
        !beside ||
        specifier === undefined
      )
        return undefined;
      return { specifier, kind: "url" };
    }
    default:
      return undefined;
  }
}

/** A dynamic import of anything but a plain string cannot be checked: "" is refused by every rule. */
function literal(node: ESTree.Node): string | undefined {
  return node.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

function parse({ path, text }: SourceFile): ESTree.Program {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return program;
}

/** The node and all below it, without the names of properties: `a.process` uses no global. */
function* nodesOf(node: ESTree.Node): Generator<ESTree.Node> {
  yield node;
  const named = "computed" in node && !node.computed;
  for (const [key, child] of Object.entries(node)) {
    if (named && (key === "property" || key === "key")) continue;
    for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) yield* nodesOf(one);
  }
}

function isNode(value: unknown): value is ESTree.Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
