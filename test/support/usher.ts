// The real program, `usher`, as a process of its own: `usher serve` on free ports, and any other command.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { type Ended, Program, type ProgramOptions } from "./program.ts";

const MAIN = "services/usher/src/main.ts";

export interface UsherOptions {
  /** The text of an `usher.yaml`; absent: what `args` say. */
  readonly config?: string;
  /** Lifts API keys; default: false. */
  readonly demo?: boolean;
  /** The data directory; default: a new one, removed by `stop`. Give it to start again on what another has left. For a
   * log on Kafka, which the configuration names, it holds the node's copy of the payloads. */
  readonly data?: string;
  /** The file of keys that nodes on one log share; default: the one that the node makes beside its data. */
  readonly keys?: string;
  /** More flags of `usher serve`. */
  readonly args?: readonly string[];
  /** Beside the environment of the tests. */
  readonly env?: ProgramOptions["env"];
  /** Lets what is under way end when it is told to stop, for as long as the program does by itself; default: false, cut
   * at once, for at a test's end there is nobody to wait for. */
  readonly drains?: boolean;
  /** Default: any free ones. Give those of one that was killed, to start in its place. */
  readonly ports?: { readonly gateway: number; readonly native: number };
}

export interface Usher extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly gatewayUrl: string;
  /** `127.0.0.1:<port>`, as gRPC's tools want it. */
  readonly nativeAddress: string;
  readonly ports: { readonly gateway: number; readonly native: number };
  /** For the header `usher-api-key`. */
  readonly apiKey: string;
  readonly data: string;
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<Ended>;
  /** All that it has said. */
  output(): string;
  /** Sends a signal, and resolves when the process is gone; the data stays. Default: SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<Ended>;
  /** Ends it by SIGTERM if it still runs, and removes what was made for it. */
  stop(): Promise<void>;
}

/** Resolves when it is ready. Rejects with what it said when it ends instead. */
export async function startUsher(options: UsherOptions): Promise<Usher> {
  const own = await mkdtemp(join(tmpdir(), "usher-"));
  const data = options.data ?? join(own, "data");
  const program = new Program(MAIN, ["serve", ...(await flagsOf(options, own, data))], {
    env: options.env,
  });
  const remove = () => rm(own, { recursive: true, force: true });
  try {
    const gateway = Number((await program.says(/gateway +http:\/\/[^ ]*:(\d+)/))[1]);
    const native = Number((await program.says(/native gRPC +[^ ]*:(\d+)/))[1]);
    const gatewayUrl = `http://127.0.0.1:${gateway}`;
    await ready(gatewayUrl);
    const apiKey = await readApiKey(options.keys ?? join(data, "usher.keys.json"));
    const stop = async (): Promise<void> => {
      await program.stop();
      await remove();
    };
    return {
      gatewayUrl,
      nativeAddress: `127.0.0.1:${native}`,
      ports: { gateway, native },
      apiKey,
      data,
      pid: program.pid,
      ended: program.ended,
      output: () => program.output,
      kill: (signal = "SIGKILL") => program.stop(signal),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await program.stop("SIGKILL");
    await remove();
    throw error;
  }
}

async function flagsOf(options: UsherOptions, own: string, data: string): Promise<string[]> {
  const flags = ["--data", data, "--host", "127.0.0.1"];
  flags.push("--port", `${options.ports?.gateway ?? 0}`, "--grpc-port", `${options.ports?.native ?? 0}`);
  flags.push("--metrics-port", "0");
  if (options.config !== undefined) {
    const file = join(own, "usher.yaml");
    await writeFile(file, options.config);
    flags.push("--config", file);
  }
  if (options.keys !== undefined) flags.push("--keys", options.keys);
  if (options.demo === true) flags.push("--demo");
  if (options.drains !== true) flags.push("--grace", "0s");
  return [...flags, ...(options.args ?? [])];
}

async function ready(url: string): Promise<void> {
  await eventually(async () => {
    const answer = await fetch(`${url}/readyz`);
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`/readyz answers ${answer.status}`);
  });
}

async function readApiKey(keys: string): Promise<string> {
  const file: unknown = JSON.parse(await readFile(keys, "utf8"));
  const { api_keys } = file as { api_keys: { key: string }[] };
  return api_keys[0]!.key;
}

/** Starts any command of the program, and leaves it to the caller. */
export function usherProgram(args: readonly string[], options?: ProgramOptions): Program {
  return new Program(MAIN, args, options);
}

/** Runs a command to its end. */
export async function runUsher(
  args: readonly string[],
  options?: ProgramOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = usherProgram(args, options);
  const { code } = await program.ended;
  return { code, stdout: program.stdout, stderr: program.stderr };
}
