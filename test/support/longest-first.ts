// In which order the files of tests are begun: those that take longest first, so that no worker is left with one of them
// when the others have nothing more to do. On a fresh clone vitest knows no times, and would go by the files' sizes.

import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Of the tests with programs those that take more than about half a minute, and of those of pieces ten seconds. The
 * fault runs and the bursts load both cores, and are kept apart by what mostly waits. */
export const LONGEST: readonly string[] = [
  "test/chaos/chaos.test.ts",
  "test/acceptance/kafka-start.test.ts",
  "packages/ticket-log/test/kafka-failover.test.ts",
  "test/acceptance/bad-input-slow.test.ts",
  "test/acceptance/burst-kafka.test.ts",
  "test/e2e/waiting-page.test.ts",
  "test/e2e/demo-page.test.ts",
  "test/acceptance/operators.test.ts",
  "test/acceptance/burst.test.ts",
  "test/acceptance/cli.test.ts",
  "test/conformance/conformance.test.ts",
  "test/acceptance/readme.test.ts",
  "test/sdk/readme.test.ts",
  "test/acceptance/start-kafka.test.ts",
  "test/acceptance/kafka-nodes.test.ts",
  "packages/ticket-log/test/crash.test.ts",
  "test/acceptance/kafka-disk.test.ts",
  "packages/queue/test/faults.test.ts",
  "packages/ticket-log/test/contract.test.ts",
  "services/gateway/test/several-nodes.test.ts",
  "services/gateway/test/pass-queue.test.ts",
  "packages/replica/test/faults.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => groupOf(one) - groupOf(other) || this.#rank(one) - this.#rank(other));
  }

  /** Those that are not named come after those that are, as they were. */
  #rank({ moduleId }: TestSpecification): number {
    const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
    return at === -1 ? LONGEST.length : at;
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}
