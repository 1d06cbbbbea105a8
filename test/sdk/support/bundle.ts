// What a page loads: the client and whatever it needs, in one minified file, as a bundler makes it for browsers.

import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import type { Project } from "./project.ts";

export interface Bundle {
  readonly code: string;
  /** As it comes over the wire. */
  readonly gzipBytes: number;
  /** What it is made of: files, and what is left of each before it is minified, in bytes. Largest first. */
  readonly parts: readonly { readonly file: string; readonly bytes: number }[];
  /** What is left to load from elsewhere. */
  readonly imports: readonly string[];
}

export async function bundle(project: Project, entry: string): Promise<Bundle> {
  const output = await build({
    configFile: false,
    root: project.folder,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: join(project.folder, entry) },
    },
  });
  if (Array.isArray(output) || !("output" in output)) throw new Error("one bundle was asked for");
  const [chunk, ...more] = output.output;
  if (more.length > 0) throw new Error(`one file was expected, and there is ${more[0]?.fileName} too`);
  const parts = Object.entries(chunk.modules)
    .map(([id, { renderedLength }]) => ({ file: relative(project.folder, id), bytes: renderedLength }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes);
  const { code, imports, dynamicImports } = chunk;
  return { code, gzipBytes: gzipSync(code).length, parts, imports: [...imports, ...dynamicImports] };
}
