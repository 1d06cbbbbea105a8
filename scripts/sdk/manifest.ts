// The package.json that is shipped, made of the workspace's own.

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>;
}

/** The oldest Node that is still cared for by its makers. */
const NODE = ">=22";

/** `packages`: what the sources import. All of it has to be declared; workspaces, which are part of the sources, go. */
export function shippedManifest(manifest: Manifest, packages: ReadonlySet<string>): object {
  const { name, version, description, license } = manifest;
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  const undeclared = [...packages].filter((one) => !(one in dependencies) && !(one in peerDependencies));
  if (undeclared.length > 0)
    throw new Error(`${undeclared.join(", ")}: imported, and not among the dependencies of ${name}`);
  const compatible = (versions: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(versions).map(([one, exact]) => [one, `^${exact}`]));
  const used = Object.fromEntries(Object.entries(dependencies).filter(([one]) => packages.has(one)));
  return {
    name,
    version,
    description,
    keywords: ["waiting-room", "queue", "rate-limit", "fetch", "grpc", "connect"],
    license,
    type: "module",
    sideEffects: false,
    engines: { node: NODE },
    exports: {
      ...Object.fromEntries(
        entriesOf(manifest).map(([entry, file]) => {
          const built = file.replace("/src/", "/dist/").replace(/\.ts$/, "");
          return [entry, { types: `${built}.d.ts`, default: `${built}.js` }];
        }),
      ),
      "./package.json": "./package.json",
    },
    files: ["dist", "reference"],
    dependencies: compatible(used),
    peerDependencies: compatible(peerDependencies),
    peerDependenciesMeta,
  };
}

/** What a package exports: each entry, and the file that is loaded for it. */
export function entriesOf({ exports = {} }: { readonly exports?: unknown }): [entry: string, file: string][] {
  if (typeof exports === "string") return [[".", exports]];
  if (typeof exports !== "object" || exports === null) return [];
  return Object.entries(exports).map(([entry, target]) => [
    entry,
    typeof target === "string" ? target : String((target as { default: unknown }).default),
  ]);
}
