// What the page is made of, as a browser can take it: the files beside this one and those of the client for browsers.
// Their TypeScript is served without its types, for nothing else of it is not JavaScript.

import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export interface Served {
  readonly type: string;
  readonly body: string;
}

/** Where the client's files are seen by the page. */
const SDK = "/sdk/";
const PAGE = "/page/";

const sdkEntry = fileURLToPath(import.meta.resolve("@usher/sdk/web"));

const FOLDERS: Readonly<Record<string, string>> = {
  [PAGE]: join(import.meta.dirname, "browser"),
  [SDK]: dirname(sdkEntry),
};

const TYPES: Readonly<Record<string, string>> = {
  ".ts": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};

/** A file has one path: with a slash more it would be remembered as another. */
const ONE_PATH = /^(\/[\w-]+)+\.\w+$/;

export class Files {
  /** By path; no more than there are files. */
  readonly #known = new Map<string, Served>();

  /** The page itself, told where the gateways are and how many buyers come at once. */
  page(gateways: readonly string[], buyers: number): Served {
    const html = readFileSync(join(import.meta.dirname, "browser/index.html"), "utf8");
    const body = html.replace("%gateways%", gateways.join(" ")).replace("%buyers%", `${buyers}`);
    return { type: "text/html; charset=utf-8", body };
  }

  /** The file at a path such as `/page/main.ts`; undefined where there is none. */
  at(path: string): Served | undefined {
    const [prefix] = Object.keys(FOLDERS).filter((prefix) => path.startsWith(prefix));
    const folder = prefix && FOLDERS[prefix];
    const type = TYPES[extname(path)];
    if (!folder || type === undefined || !ONE_PATH.test(path)) return undefined;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const text = textOf(join(folder, normalize(path.slice(prefix.length))));
    if (text === undefined) return undefined;
    const served = { type, body: extname(path) === ".ts" ? scriptOf(text) : text };
    this.#known.set(path, served);
    return served;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Browsers know files by their addresses, and not packages by their names. */
function scriptOf(text: string): string {
  return stripTypeScriptTypes(text).replaceAll('"@usher/sdk/web"', `"${SDK}web.ts"`);
}
