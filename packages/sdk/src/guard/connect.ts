// Before services of Connect. Told by shape, so that @connectrpc/connect need not be there.

import type { Gate } from "./gate.ts";
import { type RpcError, rpcErrorOf } from "./rpc.ts";

/** What is read of a call. */
export interface ConnectRequest {
  readonly header: { get(name: string): string | null };
  /** The same object that a handler has as `context.values`. */
  readonly contextValues: object;
}

/** Rejects with the refusal, as an error of Connect. */
export async function guardConnect(gate: Gate, { header, contextValues }: ConnectRequest): Promise<void> {
  const refusal = await gate.check((name) => header.get(name), contextValues);
  if (refusal !== undefined) throw new ConnectRefusal(rpcErrorOf(refusal));
}

/** Connect knows its errors by their shape, so that several copies of it get along: this is that shape. */
class ConnectRefusal extends Error {
  override readonly name = "ConnectError";
  override readonly cause = undefined;
  readonly metadata = new Headers();
  readonly code: number;
  readonly rawMessage: string;
  readonly details: RpcError["details"];

  constructor({ code, message, details }: RpcError) {
    super(message);
    this.code = code;
    this.rawMessage = message;
    this.details = details;
  }
}
