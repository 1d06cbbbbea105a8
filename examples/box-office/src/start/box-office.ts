// What `npm start` and `npm run start:kafka` have in common: the shop with its page, the nodes of Usher in front of it,
// and how all of it ends. They are processes of their own, and end with this one; every start is a fresh one.

import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Child, isTaken, startAndHear } from "../children.ts";
import { type NodeSettings, UsherNode } from "../usher-node.ts";

const root = resolve(import.meta.dirname, "../../../..");
const shopProgram = join(import.meta.dirname, "../page/main.ts");

/** Types are taken out of what browsers get by a part of Node that may still change, and says so. */
const QUIET = "--disable-warning=ExperimentalWarning";

/** Something that listens. */
export interface Place {
  /** As people call it. */
  readonly name: string;
  readonly port: number;
}

export interface Opening {
  /** Its folder below the checkout's `.usher/`, which is made anew. */
  readonly folder: string;
  readonly shop: Place;
  /** Whatever else listens. The ports are looked at before anything starts. */
  readonly others: readonly Place[];
  /** Starts what the nodes need; told the folder's path. */
  readonly prepare: (directory: string) => Promise<Prepared>;
}

export interface Prepared {
  readonly nodes: readonly NodeSettings[];
  /** What to show when all is ready; told the nodes' process ids. */
  readonly welcome: (pids: readonly number[]) => string;
  /** Ends what was started for the nodes, after them. */
  readonly close?: () => Promise<void>;
}

/** Opens the box office, and resolves with the exit code when it has closed: by a signal, or because something that it
 * cannot do without has ended. Of several nodes, the last one is that. */
export async function openBoxOffice({ folder, shop, others, prepare }: Opening): Promise<number> {
  for (const { name, port } of [shop, ...others])
    if (await isTaken(port))
      return refuse(
        `port ${port}, which ${name} needs, is in use; stop what has it, or name others by --ports-from`,
      );
  const directory = join(root, ".usher", folder);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });

  const stopping = Promise.withResolvers<"asked">();
  const nodes: UsherNode[] = [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      stopping.resolve("asked");
      // The first asks Usher, too, and a second one presses it.
      for (const { child } of nodes) child.ask();
    });

  const prepared = await Promise.race([prepare(directory), stopping.promise]);
  // Whatever is being started ends with this process.
  if (prepared === "asked") process.exit(0);
  const { child: shopChild } = await startAndHear((heard) => {
    const usher = prepared.nodes.flatMap(({ ports: { http, grpc } }) => [
      ...["--gateway", `http://localhost:${http}`],
      ...["--native", `http://localhost:${grpc}`],
    ]);
    const options = ["--port", `${shop.port}`, ...usher, "--folder", directory];
    return Child.fork(shopProgram, options, heard, [QUIET]);
  }, "listening");
  for (const settings of prepared.nodes) nodes.push(new UsherNode(settings));

  let open = true;
  const end = await Promise.race([
    stopping.promise,
    shopChild.ended.then(() => "the shop has ended; its words are above"),
    serve(nodes, prepared.welcome, () => open),
  ]);
  open = false;
  // The nodes first: what they are sending still wants the shop's answer.
  await Promise.all(nodes.map(({ child }) => child.stop()));
  await shopChild.stop();
  await prepared.close?.();
  return end === "asked" ? 0 : refuse(end);
}

/** Shows what to try when all nodes are ready. Resolves with why it cannot go on. */
async function serve(
  nodes: readonly UsherNode[],
  welcome: Prepared["welcome"],
  open: () => boolean,
): Promise<string> {
  try {
    await Promise.all(nodes.map((node) => node.ready()));
  } catch (error) {
    return (error as Error).message;
  }
  if (open()) process.stdout.write(welcome(nodes.map(({ child }) => child.pid)));
  for (const { child } of nodes)
    void child.ended.then(({ code, signal }) => {
      if (open()) process.stderr.write(`usher: node ${child.pid} has ended (${signal ?? `code ${code}`})\n`);
    });
  await Promise.all(nodes.map(({ child }) => child.ended));
  return nodes.length > 1 ? "no node is left" : "Usher has ended; its words are above";
}

function refuse(why: string): number {
  process.stderr.write(`usher: ${why}\n`);
  return 1;
}
