// The public conformance suite on the gateway's own port: its listener, its limits, its way of telling errors, and the
// lane of plain calls, with the suite's service in the place of Usher's.

import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GO_WAIT_MS } from "../support/go.ts";
import { EXCEPTIONS, type Outcome, RUN_MS, SERVER, Suite } from "./connectrpc/suite.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const GATEWAY = join(ROOT, "services/gateway");

let suite: Suite;

beforeAll(async () => {
  suite = await Suite.open();
}, GO_WAIT_MS);

afterAll(() => suite?.[Symbol.asyncDispose]());

describe("connectrpc.com's conformance suite", () => {
  it(
    "passes, every case of it but the known exceptions",
    async () => {
      const { cases, passed, excepted, failed, code, said } = await suite.run();
      expect({ code, failed }, said).toEqual({ code: 0, failed: 0 });
      expect(passed + excepted, said).toBe(cases);
      expect(passed).toBeGreaterThan(3_000);
    },
    RUN_MS,
  );

  it("has at most three exceptions, each with its reason", async () => {
    const exceptions = (await readFile(EXCEPTIONS, "utf8")).trim().split("\n\n").slice(1);
    expect(exceptions.length).toBeLessThanOrEqual(3);
    for (const exception of exceptions) expect(exception).toMatch(/^(# .{20,}\n)+[^#\n]+$/);
  });
});

/** Faults that a server may have, and the cases that are to tell. */
const FAULTS = [
  {
    name: "forgets gRPC's status in what it tells anew",
    file: "src/rpc/answer.ts",
    find: "setTrailerStatus(trailer, better);",
    replace: 'trailer.delete("grpc-status");',
    cases: "gRPC Unexpected Requests/HTTPVersion:2/TLS:false/**",
  },
  {
    name: "loses the trailers of plain calls",
    file: "src/rpc/unary.ts",
    find: "`trailer-$" + "{name}`",
    replace: "name",
    cases: "Basic/HTTPVersion:1/Protocol:PROTOCOL_CONNECT/Codec:CODEC_JSON/**/TLS:false/unary/**",
  },
  {
    name: "reads messages of any size",
    file: "src/rpc/serve.ts",
    find: "readMaxBytes: message_bytes",
    replace: "readMaxBytes: 2 ** 30",
    cases: "Server Message Size/HTTPVersion:2/Protocol:PROTOCOL_GRPC/**/TLS:false/client-stream/**",
  },
] as const;

describe("the suite finds out a server that", () => {
  it.each(FAULTS)("$name", async (fault) => {
    const { failed, code, said } = await runPlanted(fault);
    expect(code, said).not.toBe(0);
    expect(failed, said).toBeGreaterThan(0);
    // It has served, if badly.
    expect(said).not.toMatch(/could not be run|reading server response/);
  });
});

/** The same cases pass on the gateway as it is, so that it is the fault which they tell. */
async function runPlanted({ file, find, replace, cases }: (typeof FAULTS)[number]): Promise<Outcome> {
  const home = await mkdtemp(join(tmpdir(), "usher-planted-"));
  try {
    await cp(GATEWAY, home, { recursive: true });
    // Where the copy finds the packages that it imports.
    await symlink(join(ROOT, "node_modules"), join(home, "node_modules"));
    const path = join(home, file);
    const parts = (await readFile(path, "utf8")).split(find);
    expect(parts, `${file}: ${find}`).toHaveLength(2);
    await writeFile(path, parts.join(replace));
    return await suite.run({ server: join(home, relative(GATEWAY, SERVER)), cases: [cases] });
  } finally {
    await rm(home, { recursive: true });
  }
}
