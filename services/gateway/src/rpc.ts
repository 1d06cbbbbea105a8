// The RPCs on the gateway's port: Connect, gRPC-Web and gRPC, by connect-node.

import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { QueueService } from "@usher/protocol/queue";
import { type Access, createAdminService, createQueueService, type Replica } from "@usher/replica";
import { type EdgeRequest, type EdgeResponse, letBodyCome } from "./listener/exchange.ts";

/** Bytes of one message; 64 KiB. connect-node's own default is 4 GiB, and a declared length is allocated. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** The longest that a client may have a call run, in ms; an hour. Streams are opened anew after it. */
const TIMEOUT_MAX_MS = 60 * 60_000;

export interface RpcHandler {
  /** Whether a path is one of the RPCs'. */
  owns(path: string): boolean;
  handle(req: EdgeRequest, res: EdgeResponse): void;
}

export function createRpc(replica: Replica, access: Access): RpcHandler {
  const prefixes = [QueueService, AdminService].map(({ typeName }) => `/${typeName}/`);
  const adapter = connectNodeAdapter({
    routes: (router) =>
      router
        .service(QueueService, createQueueService(replica, access))
        .service(AdminService, createAdminService(replica, access)),
    readMaxBytes: MESSAGE_BYTES_MAX,
    maxTimeoutMs: TIMEOUT_MAX_MS,
  });
  return {
    owns: (path) => prefixes.some((prefix) => path.startsWith(prefix)),
    handle(req, res) {
      letBodyCome(req, res);
      adapter(req, res);
    },
  };
}
