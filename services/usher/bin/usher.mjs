#!/usr/bin/env node
// `npx usher …` in this checkout: starts the program on the Node that the checkout brings, whatever Node npx runs on.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const program = new URL("../src/main.ts", import.meta.url);
const node = fileURLToPath(
  new URL(
    `../../../node_modules/node/bin/node${process.platform === "win32" ? ".exe" : ""}`,
    import.meta.url,
  ),
);

if (Number(process.versions.node.split(".")[0]) >= 24) {
  await import(program.href);
} else if (existsSync(node)) {
  const child = spawn(node, [fileURLToPath(program), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.removeAllListeners();
    if (signal === null) process.exit(code);
    else process.kill(process.pid, signal);
  });
} else {
  process.stderr.write(
    `usher: needs Node 24, and this is ${process.version}; run npm ci in the checkout, which brings it\n`,
  );
  process.exit(1);
}
