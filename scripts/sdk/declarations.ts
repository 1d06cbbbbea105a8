// What the built declarations say: who declares a name, with which words about it, and what it consists of. By the parser
// that the bundler brings, since the TypeScript compiler has no settled interface for programs.

import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { type ESTree, parseSync } from "vite";

export interface Declared {
  readonly name: string;
  /** The file that declares it. */
  readonly file: string;
  readonly kind: "function" | "class" | "interface" | "type" | "const";
  /** The words about it, as Markdown; may be empty. */
  readonly words: string;
  /** What it is, in TypeScript, without its members and without words. */
  readonly text: string;
  readonly members: readonly Member[];
  /** The names that its declaration refers to. */
  readonly refersTo: readonly string[];
}

export interface Member {
  readonly text: string;
  readonly words: string;
}

/** Where else a name of a file comes from. */
interface Elsewhere {
  readonly file: string;
  readonly name: string;
}

interface File {
  readonly declared: ReadonlyMap<string, Declared>;
  readonly elsewhere: ReadonlyMap<string, Elsewhere>;
  /** The names that importers see. */
  readonly exported: ReadonlySet<string>;
}

export class Declarations {
  readonly #files = new Map<string, Promise<File>>();
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What a file exports, in its order. */
  async exportsOf(file: string): Promise<Declared[]> {
    const { exported } = await this.#read(file);
    const found: Declared[] = [];
    for (const name of exported) {
      const declared = await this.find(file, name);
      if (declared === undefined) throw new Error(`${file} exports ${name}, and nobody declares it`);
      found.push(declared);
    }
    return found;
  }

  /** Who declares what a file calls so; absent for what is not of this package. */
  async find(file: string, name: string): Promise<Declared | undefined> {
    const { declared, elsewhere } = await this.#read(file);
    const there = elsewhere.get(name);
    return declared.get(name) ?? (there && (await this.find(there.file, there.name)));
  }

  /** What a declaration refers to, as far as it is of this package. */
  async referredBy({ file, refersTo }: Declared): Promise<Declared[]> {
    const found = await Promise.all(refersTo.map((name) => this.find(file, name)));
    return found.filter((one) => one !== undefined);
  }

  /** Each file is parsed once, so that what it declares is the same for all who ask, also at the same time. */
  #read(file: string): Promise<File> {
    let reading = this.#files.get(file);
    if (reading === undefined) {
      reading = readFile(posix.join(this.#folder, file), "utf8").then((text) => parsed(file, text));
      this.#files.set(file, reading);
    }
    return reading;
  }
}

function parsed(file: string, text: string): File {
  const { program, module, comments } = parseSync(file, text);
  const source = { file, text, comments };
  const declared = new Map<string, Declared>();
  const elsewhere = new Map<string, Elsewhere>();
  const exported = new Set<string>();
  for (const statement of program.body) {
    const node =
      statement.type === "ExportNamedDeclaration" && statement.declaration
        ? statement.declaration
        : statement;
    const one = declaredIn(node, statement, source);
    if (one === undefined) continue;
    declared.set(one.name, one);
    if (node !== statement) exported.add(one.name);
  }
  const keep = (local: string, name: string, specifier: string): void => {
    if (!specifier.startsWith(".")) return;
    const path = posix.join(posix.dirname(file), specifier.replace(/\.js$/, ".d.ts"));
    elsewhere.set(local, { file: path, name });
  };
  for (const { entries, moduleRequest } of module.staticImports)
    for (const { localName, importName } of entries)
      keep(localName.value, importName.name ?? "", moduleRequest.value);
  for (const { entries } of module.staticExports)
    for (const { exportName, importName, localName, moduleRequest } of entries) {
      const name = exportName.name;
      if (name === null || declared.has(localName.name ?? "")) continue;
      if (moduleRequest) keep(name, importName.name ?? "", moduleRequest.value);
      exported.add(name);
    }
  return { declared, elsewhere, exported };
}

interface Source {
  readonly file: string;
  readonly text: string;
  readonly comments: readonly {
    readonly type: string;
    readonly value: string;
    readonly start: number;
    readonly end: number;
  }[];
}

/** `outer`: with the `export` before it, at which the words about it end. */
function declaredIn(node: ESTree.Node, outer: ESTree.Node, source: Source): Declared | undefined {
  const { file, text } = source;
  const about = { file, words: wordsBefore(outer.start, source), refersTo: namesIn(node) };
  const slice = (end: number): string =>
    text
      .slice(node.start, end)
      .replace(/^declare /, "")
      .trim();
  switch (node.type) {
    case "TSDeclareFunction":
    case "FunctionDeclaration":
      if (node.id === null) return undefined;
      return { ...about, name: node.id.name, kind: "function", members: [], text: signature(node, source) };
    case "ClassDeclaration":
      if (node.id === null) return undefined;
      return {
        ...about,
        name: node.id.name,
        kind: "class",
        text: slice(node.body.start),
        members: node.body.body.flatMap((member) => memberIn(member, source)),
      };
    case "TSInterfaceDeclaration":
      return {
        ...about,
        name: node.id.name,
        kind: "interface",
        text: slice(node.body.start),
        members: node.body.body.flatMap((member) => memberIn(member, source)),
      };
    case "TSTypeAliasDeclaration":
      return { ...about, name: node.id.name, kind: "type", members: [], text: slice(node.end) };
    case "VariableDeclaration": {
      const [first] = node.declarations;
      if (first?.id.type !== "Identifier") return undefined;
      const { name, typeAnnotation } = first.id;
      const type = typeAnnotation?.typeAnnotation;
      if (type?.type !== "TSTypeLiteral")
        return { ...about, name, kind: "const", members: [], text: slice(node.end) };
      const members = type.members.flatMap((member) => memberIn(member, source));
      return { ...about, name, kind: "const", members, text: `const ${name}` };
    }
    default:
      return undefined;
  }
}

/** Nobody needs to know what is private, and nobody makes the client's objects but the client. */
function memberIn(node: ESTree.Node, source: Source): Member[] {
  if ("key" in node && node.key.type === "PrivateIdentifier") return [];
  if (isConstructor(node)) return [];
  const text = signature(node, source)
    .replace(/^(?:override |readonly )+/, "")
    .replace(/^get (\w+)\(\)/, "$1");
  return [{ words: wordsBefore(node.start, source), text }];
}

function isConstructor(node: ESTree.Node): boolean {
  return node.type === "MethodDefinition" && node.kind === "constructor";
}

/** One that is taken apart at once has no name in the declaration, and gets one from its type. */
function signature(node: ESTree.Node, { text }: Source): string {
  let said = "";
  let done = node.start;
  for (const { type, start, typeAnnotation } of parametersOf(node)) {
    if (type !== "ObjectPattern" || !typeAnnotation) continue;
    const kind = text.slice(typeAnnotation.start, typeAnnotation.end).replace(/^:\s*/, "");
    const name = kind.endsWith("Options") ? "options" : kind.charAt(0).toLowerCase() + kind.slice(1);
    said += `${text.slice(done, start)}${name}${text[typeAnnotation.start - 1] === "?" ? "?" : ""}`;
    done = typeAnnotation.start;
  }
  said += text.slice(done, node.end);
  return said
    .replace(/^declare /, "")
    .replace(/;$/, "")
    .replaceAll(/\s*\/\*\*.*?\*\//gs, "")
    .replaceAll(/\s*\n\s*/g, " ");
}

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Parameter extends Span {
  readonly type: string;
  readonly typeAnnotation?: Span | null;
}

function parametersOf(node: unknown): readonly Parameter[] {
  if (typeof node !== "object" || node === null) return [];
  if ("params" in node && Array.isArray(node.params)) return node.params;
  return "value" in node ? parametersOf(node.value) : [];
}

/** The docstring that ends right before a place. */
function wordsBefore(start: number, { text, comments }: Source): string {
  const own = comments.findLast(
    ({ type, value, end }) =>
      type === "Block" && value.startsWith("*") && end <= start && text.slice(end, start).trim() === "",
  );
  return (own?.value ?? "")
    .slice(1)
    .replaceAll(/^[ \t]*\* ?/gm, "")
    .replaceAll(/^@generated .*$/gm, "")
    .trim();
}

/** The names of the types that a declaration is made of. */
function namesIn(root: unknown): string[] {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (typeof node === "object" && node !== null && "type" in node) {
      if (isConstructor(node as ESTree.Node)) return;
      if (node.type === "Identifier" && "name" in node && typeof node.name === "string") names.add(node.name);
      Object.values(node).forEach(visit);
    }
  };
  visit(root);
  return [...names];
}
