// The RPCs on the gateway's port: Connect, gRPC-Web and gRPC; Envoy's questions among them.
//
//   serve.ts     how any services are served: by connect-node, and the plainest calls by a lane of their own
//   unary.ts     that lane                        context.ts   what its methods are told of their call
//   refusal.ts   what is turned away before a method hears of it      answer.ts    how that is told

import { AdminService } from "@usher/protocol/admin";
import { Authorization } from "@usher/protocol/ext-authz";
import { QueueService } from "@usher/protocol/queue";
import { type Access, createAdminService, createQueueService, type Replica } from "@usher/replica";
import type { Check } from "../check/check.ts";
import { callOf, createAuthorization } from "../check/envoy.ts";
import { isRpc } from "../observe/rpc.ts";
import { explained } from "./refusal.ts";
import { type ServeRpc, serveRpc } from "./serve.ts";

/** Bytes of one message; 64 KiB. */
const MESSAGE_BYTES_MAX = 64 * 1024;

export interface RpcHandler {
  /** Whether a path is one of the RPCs'. */
  owns(path: string): boolean;
  readonly handle: ServeRpc;
}

export interface RpcOptions {
  /** Among how many nodes each limit is divided. */
  readonly nodes: number;
  /** What Envoy asks. */
  readonly check: Check;
  readonly public_url: string | undefined;
}

export function createRpc(
  replica: Replica,
  access: Access,
  { nodes, check, public_url }: RpcOptions,
): RpcHandler {
  const queueService = createQueueService(replica, access);
  const handle = serveRpc({
    routes: (router) =>
      router
        .service(QueueService, queueService)
        .service(AdminService, createAdminService(replica, access, { nodes }))
        .service(Authorization, createAuthorization(check, { replica, public_url })),
    plain: { service: QueueService, methods: queueService },
    contextValues: callOf,
    message_bytes: MESSAGE_BYTES_MAX,
    explain: (error) => explained(error, MESSAGE_BYTES_MAX),
  });
  return { owns: isRpc, handle };
}
