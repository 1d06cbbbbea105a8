// The client for browsers, and for whatever else has `fetch`: the contract over Connect in JSON. Nothing of Node.

import { QueueClient } from "./client/client.ts";
import { type TryOptions, wireOf } from "./client/wire.ts";
import { nodesIn } from "./rpc/base-url.ts";
import { ConnectRpc } from "./rpc/connect/connect.ts";
import type { PosterOptions } from "./rpc/connect/post.ts";
import { NodesRpc } from "./rpc/nodes.ts";

export type { IssueOptions, QueueClient } from "./client/client.ts";
export type { CallOptions, Ticket, WatchOptions } from "./client/ticket.ts";
export { type ErrorCode, type Outcome, UsherError } from "./errors.ts";
export { createFetch, type FetchOptions } from "./fetch/fetch.ts";
export type { Storage } from "./fetch/memory.ts";
export type { QueueStatus } from "./rpc/rpc.ts";
export { hasEnded, type RequestState, type Status, type TicketState } from "./status.ts";

export interface ClientOptions extends Omit<PosterOptions, "baseUrl">, TryOptions {
  /** Where the gateway is, such as `https://shop.example`; several nodes where there are. Default: the page's own origin. */
  readonly baseUrl?: string | readonly string[];
}

/** A client over fetch. Holds no connection of its own. Throws `misused` where an option makes no sense. */
export function createClient({ baseUrl = "", ...options }: ClientOptions = {}): QueueClient {
  const nodes = nodesIn(baseUrl).map((url) => new ConnectRpc({ ...options, baseUrl: url }));
  return new QueueClient(wireOf(new NodesRpc(nodes), options));
}
