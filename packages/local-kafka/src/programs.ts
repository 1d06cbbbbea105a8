// Programs that Kafka needs from the system.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { LocalKafkaError } from "./errors.ts";

const INSTALL = "On Debian: apt-get install openjdk-17-jre-headless maven";

/** The path of `java`: that of JAVA_HOME, else of PATH. */
export function findJava(): string {
  const home = process.env.JAVA_HOME;
  if (home) return join(home, "bin", "java");
  return find("java") ?? missing("java, which runs Kafka, is not on PATH; install Java 17 or newer");
}

/** The path of `mvn`. */
export function findMaven(): string {
  return (
    find("mvn") ??
    missing("mvn, which fetches Kafka, is not on PATH; install Maven, or set KAFKA_HOME to a Kafka")
  );
}

function missing(what: string): never {
  throw new LocalKafkaError(`${what}. ${INSTALL}`);
}

/** The path of a program on PATH. */
export function find(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (folder !== "") return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
