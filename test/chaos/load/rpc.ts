// The RPCs as clients call them: what was told, in the words of the history.

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { QueueService } from "@usher/protocol/queue";
import type { Door, Doors } from "./doors.ts";
import type { End } from "./http.ts";

export type QueueClient = Client<typeof QueueService>;
export type AdminClient = Client<typeof AdminService>;

/** How long a call may take, in milliseconds. */
export const CALL_MS = 8_000;

/** Clients of each node, made once. */
export class Rpc {
  readonly #visitors = new Map<Door, QueueClient>();
  readonly #backends = new Map<Door, QueueClient>();
  readonly #admins = new Map<Door, AdminClient>();

  constructor({ all, apiKey }: Doors) {
    for (const door of all) {
      const gateway = createConnectTransport({ baseUrl: door.gatewayUrl, httpVersion: "1.1" });
      this.#visitors.set(door, createClient(QueueService, gateway));
      const native = createGrpcTransport({
        baseUrl: `http://${door.nativeAddress}`,
        interceptors: [
          (next) => (request) => {
            request.header.set("usher-api-key", apiKey);
            return next(request);
          },
        ],
      });
      this.#backends.set(door, createClient(QueueService, native));
      this.#admins.set(door, createClient(AdminService, native));
    }
  }

  /** Connect on the gateway, without an API key. */
  visitor(door: Door): QueueClient {
    return of(this.#visitors, door);
  }

  /** Native gRPC, with an API key. */
  backend(door: Door): QueueClient {
    return of(this.#backends, door);
  }

  /** Native gRPC, with an API key. */
  admin(door: Door): AdminClient {
    return of(this.#admins, door);
  }
}

function of<One>(clients: ReadonlyMap<Door, One>, door: Door): One {
  const client = clients.get(door);
  if (client === undefined) throw new Error(`there is no node ${door.name}`);
  return client;
}

/** How a call ended that did not end well. */
export function failure(thrown: unknown): End {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(ErrorInfoSchema);
  if (info !== undefined)
    return {
      told: info.reason === "OUTCOME_UNKNOWN" || info.reason === "INTERNAL" ? "unknown" : "refused",
      reason: info.reason,
    };
  const refused = /ECONNREFUSED/.test(`${error.message} ${String(error.cause)}`);
  return { told: refused ? "refused" : "unknown", reason: refused ? "ECONNREFUSED" : Code[error.code] };
}
