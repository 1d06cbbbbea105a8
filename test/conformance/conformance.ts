// The same cases for everything that serves `usher.queue.v1` and `usher.admin.v1`, over every protocol.
//
//   conformance.test.ts   runs them on the real program, through each target
//   cases/                issue, holder, backend, queues: the contract in queue.proto, call by call
//                         nodes: what operators see of the node and the log, in admin.proto
//                         bytes: requests by hand; connect-get: what Connect adds to HTTP
//   support/targets.ts    the ways in                  stage.ts   what a case has: clients, a queue of its own
//   support/queues.ts     the queues, by what they do  wire.ts    requests by hand
//   support/grpc-js-transport.ts   gRPC's own client in the shape of connect's

import { beforeAll, describe } from "vitest";
import { backendCases } from "./cases/backend.ts";
import { byteCases } from "./cases/bytes.ts";
import { connectGetCases } from "./cases/connect-get.ts";
import { holderCases } from "./cases/holder.ts";
import { issueCases } from "./cases/issue.ts";
import { nodeCases } from "./cases/nodes.ts";
import { queueCases } from "./cases/queues.ts";
import type { Stage } from "./support/stage.ts";
import type { Target } from "./support/targets.ts";

/** `open` is called once, when what is tested has been started. */
export function describeQueueService(target: Target, open: () => Stage): void {
  describe(target.name, () => {
    let opened: Stage;
    const stage = () => opened;
    beforeAll(() => {
      opened = open();
    });
    issueCases(stage);
    holderCases(stage);
    backendCases(stage);
    queueCases(stage);
    nodeCases(stage);
    byteCases(stage);
    if (target.get) {
      connectGetCases(stage);
    }
  });
}
