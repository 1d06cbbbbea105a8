// The client for Node: the contract over gRPC, and `fetch` that waits its turn.
//
//   errors.ts     what can go wrong                 status.ts     where a ticket stands
//   client/       tickets, admissions               following/    a ticket until its end, whatever breaks
//   calls/        a call until it succeeds          rpc/          one call over one wire
//   web.ts        the same for browsers             fetch/        fetch that waits

import { BackendClient } from "./client/backend.ts";
import { type TryOptions, wireOf } from "./client/wire.ts";
import { nodesIn } from "./rpc/base-url.ts";
import { type GrpcOptions, GrpcRpc } from "./rpc/grpc/grpc.ts";
import { BackendNodesRpc } from "./rpc/nodes.ts";

export { QueueService } from "@usher/protocol/queue";
export type { Admission, AdmissionsOptions } from "./client/admissions.ts";
export type { AdmitOptions, BackendClient } from "./client/backend.ts";
export type { IssueOptions, QueueClient } from "./client/client.ts";
export type { CallOptions, Ticket, WatchOptions } from "./client/ticket.ts";
export type { WorkOptions } from "./client/work.ts";
export { type ErrorCode, type Outcome, UsherError } from "./errors.ts";
export { createFetch, type FetchOptions } from "./fetch/fetch.ts";
export type { Storage } from "./fetch/memory.ts";
export type { Admitted, QueueStatus, TicketFacts } from "./rpc/rpc.ts";
export { hasEnded, type RequestState, type Status, type TicketState } from "./status.ts";

export interface ClientOptions extends Omit<GrpcOptions, "baseUrl">, TryOptions {
  /** `http://host:port`, or `https://` for TLS, of the native listener or of the gateway; several nodes where there are, for
   * any of them knows every ticket. */
  readonly baseUrl: string | readonly string[];
}

/** A client over gRPC. One is enough for a process: it keeps one connection to a node, which all calls share, and more
 * while there are more than 90 watches. Throws `misused` where an option makes no sense. */
export function createClient(options: ClientOptions): BackendClient {
  // Programs without types may have left them out.
  const urls = nodesIn((options as Partial<ClientOptions> | undefined)?.baseUrl);
  const nodes = urls.map((baseUrl) => new GrpcRpc({ ...options, baseUrl }));
  return new BackendClient(wireOf(new BackendNodesRpc(nodes), options));
}
