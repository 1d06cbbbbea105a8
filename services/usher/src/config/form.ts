// What is wrong with a file as YAML, before anybody looks at what it says: in words for people who know little of YAML.

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  visit,
  type YAMLError,
} from "yaml";

/** A fault in the form, and where it stands. */
export interface Fault {
  /** In characters, from the beginning of the text. */
  readonly offset: number;
  readonly text: string;
}

export function formFaults(document: Document): Fault[] {
  const faults = [...document.errors, ...document.warnings].map(
    (fault): Fault => ({ offset: fault.pos[0], text: faultText(fault) }),
  );
  visit(document, {
    Alias(_, alias, path) {
      const offset = alias.range?.[0] ?? 0;
      const source = alias.resolve(document);
      // Of a bare star the parser has told already.
      if (source === undefined && alias.source !== "")
        faults.push({ offset, text: unknownAnchor(alias.source) });
      if (source !== undefined && path.includes(source))
        faults.push({
          offset,
          text: `*${alias.source} stands within what it repeats; write out what is meant`,
        });
    },
    Map(_, map) {
      faults.push(...nameFaults(map.items, document));
    },
  });
  return faults;
}

/** Where the last alias stands; undefined where there is none. */
export function lastAlias(document: Document): number | undefined {
  let last: number | undefined;
  visit(document, {
    Alias(_, { range }) {
      last = range?.[0];
    },
  });
  return last;
}

/** The parser knows names that are spelled the same, but as names `1` and `"1"` are one as well. */
function nameFaults(pairs: readonly Pair[], document: Document): Fault[] {
  const faults: Fault[] = [];
  const known = new Map<string, unknown>();
  for (const { key, value } of pairs) {
    if (isCollection(key)) faults.push({ offset: key.range?.[0] ?? 0, text: NO_NAME });
    if (!isScalar(key)) continue;
    const offset = key.range?.[0] ?? 0;
    // The parser has a symbol for the name that merges.
    if (typeof key.value === "symbol") {
      if (!isMergeable(value, document)) faults.push({ offset, text: NOT_MERGEABLE });
      continue;
    }
    const name = String(key.value ?? "");
    if (known.has(name) && known.get(name) !== key.value) faults.push({ offset, text: TWICE });
    known.set(name, key.value);
  }
  return faults;
}

/** Whether `<<` can take it in: a map, or a list of maps, each by itself or by an alias. */
function isMergeable(value: unknown, document: Document): boolean {
  const target = isAlias(value) ? value.resolve(document) : value;
  if (!isSeq(target)) return isMap(target);
  return target.items.every((item) => isMap(isAlias(item) ? item.resolve(document) : item));
}

const TWICE = "the same name stands twice; keep one of the two";
const NO_NAME = "a list or a map stands where a name belongs; give a name";
const NOT_MERGEABLE =
  "<< takes in what stands in maps, and this is none; give an alias of a map, or write it out";

function unknownAnchor(name: string): string {
  return `*${name}: there is no anchor of that name; a value that begins with * is put into quotes`;
}

/** The parser's own words, but for those that say little to who has not written a parser. */
function faultText({ code, message }: YAMLError): string {
  if (code === "DUPLICATE_KEY") return TWICE;
  if (code === "MULTIPLE_DOCS") return "a second document begins here (---); keep one";
  if (code === "TAB_AS_INDENT") return "a tab stands where YAML takes only spaces; indent with spaces";
  if (code === "BAD_ALIAS")
    return "a bare * stands for nothing; put it into quotes, or give a path such as /*";
  if (code === "TAG_RESOLVE_FAILED")
    return `${message.replace("tag:yaml.org,2002:", "!!")}; write the value without a tag`;
  if (message.startsWith("Maximum call stack")) return "is nested deeper than any configuration";
  return message;
}
