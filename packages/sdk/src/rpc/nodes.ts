// Several nodes as one: any of them knows every ticket. Calls go to one of them, until it fails; the next try, which is up
// to the caller, then goes to the next.

import { type ErrorCode, UsherError } from "../errors.ts";
import type { Status } from "../status.ts";
import type {
  AdmissionMessage,
  AdmitCall,
  Admitted,
  BackendRpc,
  Call,
  Held,
  IssueCall,
  Issued,
  QueueStatus,
  Rpc,
  TicketFacts,
  Watched,
} from "./rpc.ts";

/** What is a node's own fault, and perhaps not the next one's. */
const NODES_FAULTS: ReadonlySet<ErrorCode> = new Set([
  ...(["unreachable", "deadline_exceeded", "not_ready", "behind", "overloaded"] as const),
  ...(["log_unavailable", "unexpected_answer", "internal"] as const),
]);

export class NodesRpc<R extends Rpc = Rpc> implements Rpc {
  readonly #nodes: readonly R[];
  /** What ends each stream that is open. */
  readonly #streams = new Set<() => void>();
  #isClosed = false;
  #at: number;

  /** Throws where there are none. Which one is first is up to chance, so that clients spread over them. */
  constructor(nodes: readonly R[]) {
    if (nodes.length === 0) throw new UsherError("misused", "baseUrl names no node");
    this.#nodes = nodes;
    this.#at = Math.floor(Math.random() * nodes.length);
  }

  issue(request: IssueCall, call: Call): Promise<Issued> {
    return this.any((node) => node.issue(request, call));
  }

  getTicket(held: Held, call: Call): Promise<Status> {
    return this.any((node) => node.getTicket(held, call));
  }

  watchPosition(held: Held, call: Call): AsyncIterable<Watched> {
    return this.anyStream((node, call) => node.watchPosition(held, call), call);
  }

  leave(token: string, call: Call): Promise<Status> {
    return this.any((node) => node.leave(token, call));
  }

  getQueue(queue: string, call: Call): Promise<QueueStatus> {
    return this.any((node) => node.getQueue(queue, call));
  }

  /** Streams that are open end, and no call is made any more; those that are under way are answered. */
  close(): void {
    this.#isClosed = true;
    for (const end of this.#streams) end();
    for (const node of this.#nodes) node.close();
  }

  protected async any<A>(ask: (node: R) => Promise<A>): Promise<A> {
    this.#mustBeOpen();
    const node = this.#node();
    try {
      return await ask(node);
    } catch (error) {
      this.#judge(node, error);
      throw error;
    }
  }

  protected async *anyStream<A>(
    open: (node: R, call: Call) => AsyncIterable<A>,
    call: Call,
  ): AsyncGenerator<A, void> {
    this.#mustBeOpen();
    const node = this.#node();
    const { signal } = call;
    const ended = new AbortController();
    const end = (): void => ended.abort(signal?.reason);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
    this.#streams.add(end);
    let shutsDown = false;
    try {
      for await (const message of open(node, { ...call, signal: ended.signal })) {
        shutsDown ||= isGoodbye(message);
        yield message;
      }
    } catch (error) {
      this.#mustBeOpen();
      this.#judge(node, error);
      throw error;
    } finally {
      this.#streams.delete(end);
      signal?.removeEventListener("abort", end);
      if (shutsDown) this.#leave(node);
    }
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new UsherError("canceled", "the client was closed");
  }

  #node(): R {
    const node = this.#nodes[this.#at];
    if (node === undefined) throw new UsherError("internal", "there is no such node");
    return node;
  }

  #judge(node: R, error: unknown): void {
    if (error instanceof UsherError && NODES_FAULTS.has(error.code)) this.#leave(node);
  }

  /** Goes on to the next, unless another call has done so. */
  #leave(node: R): void {
    if (this.#node() === node) this.#at = (this.#at + 1) % this.#nodes.length;
  }
}

export class BackendNodesRpc extends NodesRpc<BackendRpc> implements BackendRpc {
  admit(request: AdmitCall, call: Call): Promise<Admitted> {
    return this.any((node) => node.admit(request, call));
  }

  watchAdmissions(queue: string, cursor: string, call: Call): AsyncIterable<AdmissionMessage> {
    return this.anyStream((node, call) => node.watchAdmissions(queue, cursor, call), call);
  }

  complete(ticket: string, call: Call): Promise<TicketFacts> {
    return this.any((node) => node.complete(ticket, call));
  }
}

/** Whether the node says that it shuts down. */
function isGoodbye(message: unknown): boolean {
  return typeof message === "object" && message !== null && "reconnectAfter" in message;
}
