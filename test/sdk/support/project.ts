// A stranger's project: an empty folder, strict settings, and the client installed from its tarball. The libraries that
// the client depends on are those of this repository, linked, so that nothing is downloaded.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { ROOT } from "../../../scripts/sdk/build.ts";

/** Stricter than `strict`, and with all declarations checked, those of libraries too. */
const STRICT = {
  target: "es2022",
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  outDir: "out",
} as const;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Removed when the test has ended. `libraries`: what it has installed beside the client and what that needs. */
  static async create(tarball: string, libraries: readonly string[] = []): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), "usher-project-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const project = new Project(folder);
    await project.write("package.json", '{ "type": "module", "private": true }');
    const client = join(folder, "node_modules/@usher/sdk");
    await mkdir(client, { recursive: true });
    await run(folder, "tar", ["-xzf", tarball, "-C", client, "--strip-components=1"]);
    const { dependencies } = JSON.parse(await readFile(join(client, "package.json"), "utf8")) as Manifest;
    for (const name of [...Object.keys(dependencies), ...libraries]) await project.#link(name);
    return project;
  }

  async write(path: string, text: string): Promise<void> {
    const place = join(this.folder, path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, text);
  }

  /** Type-checks the files and writes JavaScript to `out/`. Resolves with what the compiler complains of. */
  async compile(files: readonly string[], compilerOptions: object): Promise<string> {
    const config = { compilerOptions: { ...STRICT, ...compilerOptions }, files };
    await this.write("tsconfig.json", JSON.stringify(config));
    return run(this.folder, process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc")]).catch(
      ({ stdout }: { stdout: string }) => stdout,
    );
  }

  async #link(name: string): Promise<void> {
    const place = join(this.folder, "node_modules", name);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), place);
  }
}

async function run(cwd: string, command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, [...args], { cwd, encoding: "utf8" })).stdout;
}
