// Every promise of the contract, on the real program, through every way in.

import { createClient } from "@connectrpc/connect";
import { AdminService } from "@usher/protocol/admin";
import { QueueService } from "@usher/protocol/queue";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../support/usher.ts";
import { describeQueueService } from "./conformance.ts";
import { Queues } from "./support/queues.ts";
import { Stage, ticketOf } from "./support/stage.ts";
import { TARGETS } from "./support/targets.ts";

const queues = new Queues(TARGETS.length);
let usher: Usher;
/** Another deployment, where no call needs a key. */
let demo: Usher;
const demoQueues = new Queues(1);

beforeAll(async () => {
  usher = await startUsher({ config: queues.config });
  demo = await startUsher({ config: demoQueues.config, demo: true });
});

afterAll(async () => {
  await Promise.all([usher?.stop(), demo?.stop()]);
});

async function foreignToken(): Promise<string> {
  const client = createClient(QueueService, TARGETS[0]!.transport(demo));
  return (await client.issue({ queue: "paused-0" })).token;
}

for (const target of TARGETS) {
  describeQueueService(target, () => new Stage(target, usher, queues, foreignToken));
}

describe("with --demo", () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))(
    "no call needs an API key: %s",
    async (_name, target) => {
      const transport = target.transport(demo);
      const client = createClient(QueueService, transport);
      const queue = demoQueues.take("one");
      const issued = await client.issue({
        queue,
        subject: "ada",
        idempotencyKey: "a-key-that-is-long-enough",
      });
      expect(ticketOf(issued).position).toBe(0);
      const { ticket } = await client.complete({ ticketId: ticketOf(issued).id });
      expect(ticket?.number).toBe(1);
      const { queues: listed } = await createClient(AdminService, transport).listQueues({});
      expect(listed.map(({ name }) => name)).toContain(queue);
    },
  );
});
