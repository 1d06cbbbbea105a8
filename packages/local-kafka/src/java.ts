// How the jars are run: by which java, with which flags, and what they log.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { libraries } from "./libraries.ts";
import { findJava } from "./programs.ts";

/** The serial collector and the first compiler alone start in half the time, and leave the cores to what is tested. */
const QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

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
  /** What is said on standard error: brokers tell their story, tools only what is wrong. */
  readonly level: "info" | "warn";
  /** The process's own, for its settings of logging. */
  readonly directory: string;
}

/** The command that runs a class of Kafka's. */
export async function javaCommand(
  className: string,
  args: readonly string[],
  { heap, level, directory }: Jvm,
): Promise<{ command: string; args: string[] }> {
  const command = findJava();
  const classPath = join(await libraries(), "*");
  const logging = join(directory, `log4j2-${level}.properties`);
  await writeFile(logging, LOGGING.replace("LEVEL", level));
  return {
    command,
    args: [
      ...QUICK,
      `-Xmx${heap}m`,
      `-Dlog4j2.configurationFile=${logging}`,
      "-cp",
      classPath,
      className,
      ...args,
    ],
  };
}
