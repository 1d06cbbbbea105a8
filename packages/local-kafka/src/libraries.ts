// Kafka's jars: those of KAFKA_HOME, else fetched once into the checkout's `.usher/` from Maven Central.
// `node packages/local-kafka/src/libraries.ts` fetches them ahead of time, and prints where they are.

import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { codeOf, LocalKafkaError } from "./errors.ts";
import { Guardian } from "./guardian.ts";
import { findMaven } from "./programs.ts";

const POM = resolve(import.meta.dirname, "../pom.xml");
const STORE = resolve(import.meta.dirname, "../../../.usher");

/** How long the first start of a Kafka may take, in milliseconds; for the hook that awaits it. Five minutes: its jars
 * are fetched once, and a slow network takes a while for 54 MB. */
export const START_WAIT_MS = 300_000;

/** The folder of Kafka's jars. Rejects with a `LocalKafkaError`. */
export async function libraries(): Promise<string> {
  const home = process.env.KAFKA_HOME;
  if (home) {
    const given = join(home, "libs");
    if (existsSync(given)) return given;
    throw new LocalKafkaError(`KAFKA_HOME is ${home}, but there is no ${given}; set it to an unpacked Kafka`);
  }
  const version = /<kafka.version>(.+)<\/kafka.version>/.exec(await readFile(POM, "utf8"))?.[1];
  const libraries = join(STORE, `kafka-${version}`, "libs");
  if (existsSync(libraries)) return libraries;
  const maven = findMaven();
  console.error(`usher: fetching Kafka ${version} with Maven, 54 MB to download ...`);
  await fetchInto(libraries, maven);
  return libraries;
}

/** By a rename at the end: the folder is there with all jars, or it is not there. */
async function fetchInto(libraries: string, maven: string): Promise<void> {
  await mkdir(join(libraries, ".."), { recursive: true });
  await using guardian = await Guardian.start(STORE);
  const fetched = join(guardian.directory, "libs");
  const log = join(guardian.directory, "maven");
  const args = ["--quiet", "--batch-mode", "--file", POM, "dependency:copy-dependencies"];
  const ward = await guardian.run({
    name: "maven",
    command: maven,
    args: [...args, `-DoutputDirectory=${fetched}`],
    out: log,
    err: log,
  });
  const { code } = await ward.ended;
  if (code !== 0)
    throw new LocalKafkaError(
      `Maven could not fetch Kafka. Connect to the network, or set KAFKA_HOME to an unpacked Kafka. It said:\n${await readFile(log, "utf8")}`,
    );
  try {
    await rename(fetched, libraries);
  } catch (error) {
    // Another process has put the same jars there in the meantime.
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
  }
}

if (import.meta.main) {
  try {
    console.log(await libraries());
  } catch (error) {
    if (!(error instanceof LocalKafkaError)) throw error;
    console.error(`usher: ${error.message}`);
    process.exitCode = 1;
  }
}
