// The client's API reference: a page for each entry, made of the declarations and the docstrings in them.
//
//   npm run generate:reference   writes packages/sdk/reference/; `npm run check` tells when that is due

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compileSdk, ROOT, SDK } from "./build.ts";
import { Declarations, type Declared } from "./declarations.ts";
import { entriesOf } from "./manifest.ts";

/** Where the pages are, from the root. */
const REFERENCE = `${SDK}/reference`;

const ORDER = ["const", "function", "class", "interface", "type"] as const;

interface Page {
  readonly file: string;
  readonly title: string;
  /** The first words. */
  readonly opening: string;
  readonly exported: readonly Declared[];
}

/** Writes the pages into a folder; what was there goes. */
export async function writeReference(folder: string): Promise<void> {
  const dist = await mkdtemp(join(tmpdir(), "usher-reference-"));
  try {
    const { manifest } = await compileSdk(dist);
    const declarations = new Declarations(dist);
    const pages: Page[] = [];
    for (const [entry, file] of entriesOf(manifest)) {
      const built = file.replace("./src/", "").replace(/\.ts$/, ".d.ts");
      pages.push({
        file: entry === "." ? "index.md" : `${entry.slice(2).replaceAll("/", "-")}.md`,
        title: `${manifest.name}${entry.slice(1)}`,
        opening: firstParagraph(await readFile(join(ROOT, SDK, file), "utf8")),
        exported: sorted(await declarations.exportsOf(built)),
      });
    }
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const page of pages)
      await writeFile(join(folder, page.file), await textOf(page, pages, declarations));
  } finally {
    await rm(dist, { recursive: true });
  }
}

async function textOf(page: Page, pages: readonly Page[], declarations: Declarations): Promise<string> {
  /** What has a section here, or on another page: where. */
  const places = new Map<Declared, string>();
  for (const { file, exported } of [...pages.toReversed(), page])
    for (const one of exported) places.set(one, `${file === page.file ? "" : file}#${anchor(one)}`);
  /** What these are made of, and nobody exports. */
  const beside = new Set<Declared>();
  const referred = new Map<Declared, readonly Declared[]>();
  for (const one of new Set<Declared>(page.exported)) await add(one);
  async function add(one: Declared): Promise<void> {
    referred.set(one, await declarations.referredBy(one));
    for (const other of referred.get(one) ?? []) {
      if (places.has(other) || isGenerated(other)) continue;
      places.set(other, `#${anchor(other)}`);
      beside.add(other);
      await add(other);
    }
  }
  const section = (one: Declared): string => {
    const links = (referred.get(one) ?? []).flatMap((other) => {
      const place = places.get(other);
      return place === undefined || other === one ? [] : [`[${other.name}](${place})`];
    });
    return sectionOf(one, links);
  };
  const parts = [
    `# ${page.title}`,
    "<!-- Made of the docstrings by npm run generate:reference. -->",
    page.opening,
    ...page.exported.map(section),
  ];
  if (beside.size > 0) parts.push("---", "What these are made of, and what cannot be imported by its name:");
  parts.push(...sorted([...beside]).map(section));
  return `${parts.join("\n\n")}\n`;
}

function sectionOf(declared: Declared, links: readonly string[]): string {
  const { name, kind, words, text, members } = declared;
  const isPlain = members.length > 0 && text === `${kind} ${name}`;
  const list = members.map(
    (member) => `- \`${member.text}\`${member.words && `\n\n${indented(member.words)}`}`,
  );
  const parts = [
    `## ${name}`,
    isPlain || isGenerated(declared) ? "" : `\`\`\`ts\n${text}\n\`\`\``,
    words,
    list.join("\n"),
    links.length === 0 ? "" : `See ${links.join(", ")}.`,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function sorted(declared: readonly Declared[]): Declared[] {
  return declared.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/** What a file says of itself, up to its map. */
function firstParagraph(source: string): string {
  const lines = source.split("\n");
  const end = lines.findIndex((line) => !/^\/\/ ./.test(line));
  const words = lines.slice(0, end).map((line) => line.slice(3));
  return words.join("\n");
}

function indented(words: string): string {
  return words.replaceAll(/^(?=.)/gm, "  ");
}

/** Where a heading is found by its name. */
function anchor({ name }: Declared): string {
  return name.toLowerCase();
}

/** The contract's own code; what it says is in the contract. */
function isGenerated({ file }: Declared): boolean {
  return file.startsWith("vendor/protocol/");
}

if (import.meta.main) await writeReference(resolve(process.argv[2] ?? join(ROOT, REFERENCE)));
