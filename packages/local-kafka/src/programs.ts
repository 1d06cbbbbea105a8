// Programs that Kafka needs from the system.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { LocalKafkaError } from "./errors.ts";

const INSTALL = "On Debian: apt-get install openjdk-17-jre-headless maven";

/** The path of `java`: that of JAVA_HOME, else of PATH. */
export function findJava(): string {
  return ofJava("java") ?? missing("java, which runs Kafka, is not on PATH; install Java 17 or newer");
}

/** The path of `keytool`, which comes with java. */
export function findKeytool(): string {
  return (
    ofJava("keytool") ?? missing("keytool, which makes certificates and comes with java, is not on PATH")
  );
}

/** The path of `mvn`. */
export function findMaven(): string {
  return (
    onPath("mvn") ??
    missing("mvn, which fetches Kafka, is not on PATH; install Maven, or set KAFKA_HOME to an unpacked Kafka")
  );
}

function missing(what: string): never {
  throw new LocalKafkaError(`${what}. ${INSTALL}`);
}

function ofJava(program: string): string | undefined {
  const home = process.env.JAVA_HOME;
  return (home ? executable(join(home, "bin"), program) : undefined) ?? onPath(program);
}

function onPath(program: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    const path = executable(folder, program);
    if (path !== undefined) return path;
  }
  return undefined;
}

function executable(folder: string, program: string): string | undefined {
  const path = join(folder, program);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
