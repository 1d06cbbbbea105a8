// A real nginx, for what is configured in front of Usher.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

export interface Nginx {
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  stop(): Promise<void>;
}

/** Runs what `configOf` makes for its http block, with these files beside it, in a folder of its own. Resolves when the
 * port takes connections. */
export async function startNginx(
  configOf: (port: number) => string,
  files: Readonly<Record<string, string>> = {},
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "usher-nginx-"));
  const port = await freePort();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
  const main = `daemon off; master_process off; error_log stderr; pid ${folder}/pid;
events {}
http { access_log off; ${temporary}
${configOf(port)} }`;
  await writeFile(join(folder, "nginx.conf"), main);
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
    // Where Debian puts it, and not everybody looks.
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += `${chunk}`;
  });
  const missing = once(child, "error").then(() => {
    throw new Error("nginx is not installed (Debian: apt-get install nginx-light)");
  });
  const gone = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  const url = `http://127.0.0.1:${port}`;
  const answers = eventually(async () => {
    if (child.exitCode !== null) throw new Error(said);
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect").finally(() => socket.destroy());
  });
  await Promise.race([answers, missing]);
  const stop = async () => {
    process.off("exit", kill);
    child.kill("SIGTERM");
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { port, url, stop };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
