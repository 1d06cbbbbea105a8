// Kafka's own tools, run with the same jars: its topic and ACL commands, its performance tools.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { Guardian } from "./guardian.ts";
import { javaCommand, writeLogging } from "./java.ts";

/** What is kept of what a tool writes, in bytes; its last 16 MiB, more than any that is read by a program. */
const OUTPUT_KEPT = 16 * 1024 * 1024;

export interface ToolOptions {
  /** Flags for the JVM; "-XX:TieredStopAtLevel=4" for a tool that measures. */
  readonly jvm?: readonly string[];
  /** In MiB; 256. */
  readonly heap?: number;
}

export interface ToolResult {
  /** Null if it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a class, such as `org.apache.kafka.tools.TopicCommand`, and resolves when it has ended, however it did. It ends
 * with this process. Rejects with a `LocalKafkaError` where Kafka is not to be had. */
export async function runTool(
  className: string,
  args: readonly string[],
  { jvm = [], heap = 256 }: ToolOptions = {},
): Promise<ToolResult> {
  await using guardian = await Guardian.start();
  const logging = await writeLogging(guardian.directory, "warn");
  const tool = await javaCommand(className, args, { heap, logging, flags: jvm });
  const [out, err] = [join(guardian.directory, "out"), join(guardian.directory, "err")];
  const ward = await guardian.run({ name: className, ...tool, out, err });
  const { code } = await ward.ended;
  return { code, stdout: await lastOf(out), stderr: await lastOf(err) };
}

async function lastOf(file: string): Promise<string> {
  await using handle = await open(file);
  const { size } = await handle.stat();
  const kept = Math.min(size, OUTPUT_KEPT);
  const { buffer } = await handle.read(Buffer.alloc(kept), 0, kept, size - kept);
  return buffer.toString();
}
