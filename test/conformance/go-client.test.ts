// A client in another language, made from `proto/` alone by its own tools, calls the real program over native gRPC and
// over the gateway's port.

import { execFile, spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backendOf } from "../support/callers.ts";
import { GO_WAIT_MS, go, goProgram } from "../support/go.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SOURCE = join(import.meta.dirname, "go-client");
const CONTRACT = "proto/usher/queue/v1";

/** The tools that make Go of `proto/`, which says nothing of Go: the package is named here. */
const GENERATE = {
  version: "v2",
  plugins: ["protoc-gen-go", "protoc-gen-go-grpc"].map((local) => ({
    local,
    out: ".",
    opt: ["module=client", "Musher/queue/v1/queue.proto=client/usher"],
  })),
};

let folder: string;
let usher: Usher;

beforeAll(async () => {
  const tools = await Promise.all([goProgram("protoc-gen-go"), goProgram("protoc-gen-go-grpc")]);
  folder = await mkdtemp(join(tmpdir(), "usher-go-client-"));
  await cp(SOURCE, folder, { recursive: true });
  const template = JSON.stringify(GENERATE);
  await promisify(execFile)(
    "buf",
    ["generate", "--template", template, "--path", CONTRACT, "--output", folder],
    {
      cwd: ROOT,
      env: { ...process.env, PATH: [...tools.map(dirname), process.env.PATH].join(delimiter) },
    },
  );
  await go(["build", "-mod=readonly", "-o", "client", "."], { cwd: folder });
  usher = await startUsher({
    config: `queues:
  native: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, session: 1h }
  gateway: { kind: pass, limit: { max_active: 1 }, max_wait: 1h, session: 1h }`,
  });
}, GO_WAIT_MS);

afterAll(async () => {
  await usher?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

interface Told {
  readonly status: {
    readonly ticket: {
      readonly id: string;
      readonly number: string;
      readonly state: string;
      readonly position?: number;
    };
  };
  readonly token?: string;
}

/** Runs the client to its end; `onLine` hears what it tells. */
async function client(address: string, queue: string, onLine?: (told: Told) => void): Promise<Told[]> {
  const child = spawn(join(folder, "client"), [address, queue], {
    env: { ...process.env, USHER_API_KEY: usher.apiKey },
    // Ended if it should wait for ever, by the test's own limit at the latest.
    timeout: 30_000,
  });
  const said = text(child.stderr);
  const all: Told[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const told: Told = JSON.parse(line);
      all.push(told);
      onLine?.(told);
    }
  });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  expect(code, await said).toBe(0);
  return all;
}

describe("a client in Go, generated from proto/", () => {
  it.each([
    ["native gRPC", "native", () => usher.nativeAddress],
    ["the gateway's port", "gateway", () => new URL(usher.gatewayUrl).host],
  ] as const)("takes a ticket and watches it until it is admitted: %s", async (_name, queue, address) => {
    const first = await client(address(), queue);
    const [issued] = first;
    expect(first.map(({ status }) => status.ticket.state)).toEqual([
      "TICKET_STATE_ADMITTED",
      "TICKET_STATE_ADMITTED",
    ]);

    const backend = backendOf(usher);
    let completed: Promise<unknown> | undefined;
    const second = await client(address(), queue, ({ token }) => {
      // Once it waits, watching.
      if (token === undefined) completed ??= backend.complete({ ticketId: issued?.status.ticket.id ?? "" });
    });
    await completed;
    const states = second.map(({ status }) => status.ticket.state);
    expect(states.slice(0, 2)).toEqual(["TICKET_STATE_WAITING", "TICKET_STATE_WAITING"]);
    expect(states.at(-1)).toBe("TICKET_STATE_ADMITTED");
    expect(second.map(({ status }) => status.ticket.position ?? 0)).toEqual(
      states.map((state) => (state === "TICKET_STATE_WAITING" ? 1 : 0)),
    );
    expect(new Set(second.map(({ status }) => status.ticket.id)).size).toBe(1);
  });
});
