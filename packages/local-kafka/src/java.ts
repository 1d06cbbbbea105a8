// How the jars are run: by which java, with which flags, and what they log.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { libraries } from "./libraries.ts";
import { findJava } from "./programs.ts";

/** With the first compiler alone it starts sooner; with the serial collector, too, it leaves the cores to what is
 * tested. */
const QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

const LOGGING = `
appenders = out
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = LEVEL
rootLogger.appenderRefs = out
rootLogger.appenderRef.out.ref = out
`;

export interface Jvm {
  /** In MiB. */
  readonly heap: number;
  /** The file that `writeLogging` wrote. */
  readonly logging: string;
  /** More flags; the last of two that contradict each other counts. */
  readonly flags?: readonly string[];
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** What runs a class of Kafka's. */
export async function javaCommand(
  className: string,
  args: readonly string[],
  { heap, logging, flags = [] }: Jvm,
): Promise<Command> {
  const jvm = [...QUICK, `-Xmx${heap}m`, `-Dlog4j2.configurationFile=${logging}`, ...flags];
  // Java first: who has neither should hear of java.
  const command = findJava();
  const classPath = join(await libraries(), "*");
  return { command, args: [...jvm, "-cp", classPath, className, ...args] };
}

/** Writes how much a JVM says on standard error, and returns the file's path. */
export async function writeLogging(directory: string, level: "info" | "warn"): Promise<string> {
  const file = join(directory, `${level}.log4j2.properties`);
  await writeFile(file, LOGGING.replace("LEVEL", level));
  return file;
}
