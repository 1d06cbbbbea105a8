// The contract by the Connect protocol in JSON, over fetch: what a browser can speak, in a few kilobytes. The types are
// generated from the contract, so a change there is an error here.
//
//   post.ts   one request and its answer      json.ts     the messages, as the client has them
//   stream.ts a stream of messages            refusals.ts what an error says

import type {
  GetQueueRequestJson,
  GetQueueResponseJson,
  GetTicketRequestJson,
  GetTicketResponseJson,
  IssueRequestJson,
  IssueResponseJson,
  LeaveRequestJson,
  LeaveResponseJson,
  WatchPositionRequestJson,
  WatchPositionResponseJson,
} from "@usher/protocol/queue";
import type { Status } from "../../status.ts";
import type { Call, Held, IssueCall, Issued, QueueStatus, Rpc, Watched } from "../rpc.ts";
import { issuedOf, queueOf, statusOf, watchedOf } from "./json.ts";
import { Poster, type PosterOptions } from "./post.ts";
import { stream } from "./stream.ts";

export class ConnectRpc implements Rpc {
  readonly #poster: Poster;

  constructor(options: PosterOptions) {
    this.#poster = new Poster(options);
  }

  async issue({ queue, idempotencyKey, subject, attributes }: IssueCall, call: Call): Promise<Issued> {
    const request: IssueRequestJson = {
      queue,
      idempotencyKey,
      ...(subject !== undefined && { subject }),
      ...(attributes !== undefined && { attributes: { ...attributes } }),
    };
    return issuedOf(await this.#poster.unary<IssueResponseJson>("Issue", request, call));
  }

  async getTicket({ token, asOf }: Held, call: Call): Promise<Status> {
    const request: GetTicketRequestJson = { token, asOf };
    const { status } = await this.#poster.unary<GetTicketResponseJson>("GetTicket", request, call);
    return statusOf(status);
  }

  async *watchPosition({ token, asOf }: Held, call: Call): AsyncGenerator<Watched> {
    const request: WatchPositionRequestJson = { token, asOf };
    for await (const message of stream<WatchPositionResponseJson>(
      this.#poster,
      "WatchPosition",
      request,
      call,
    )) {
      yield watchedOf(message);
    }
  }

  async leave(token: string, call: Call): Promise<Status> {
    const request: LeaveRequestJson = { token };
    const { status } = await this.#poster.unary<LeaveResponseJson>("Leave", request, call);
    return statusOf(status);
  }

  async getQueue(queue: string, call: Call): Promise<QueueStatus> {
    const request: GetQueueRequestJson = { queue };
    return queueOf(await this.#poster.unary<GetQueueResponseJson>("GetQueue", request, call));
  }

  /** Holds nothing open. */
  close(): void {}
}
