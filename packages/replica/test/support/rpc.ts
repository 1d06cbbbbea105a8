// Calls as a client makes them: through the services, over a transport in memory.

import { type Client, Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { AdminService } from "@usher/protocol/admin";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import { QueueService } from "@usher/protocol/queue";
import {
  Access,
  API_KEY_HEADER,
  createAdminService,
  createQueueService,
  type Requirement,
} from "../../src/index.ts";
import { KEYS } from "./keys.ts";
import type { World } from "./world.ts";

export interface Clients {
  readonly queue: Client<typeof QueueService>;
  readonly admin: Client<typeof AdminService>;
}

/** Clients that send these headers with every call. */
export function clientsOf(
  { replica }: Pick<World, "replica">,
  headers: Readonly<Record<string, string>> = {},
  require: Requirement = "backends",
  nodes?: number,
): Clients {
  const access = new Access({ keys: replica.keys, hashes: replica.hashes, require });
  const transport = createRouterTransport(
    ({ service }) => {
      service(QueueService, createQueueService(replica, access));
      service(AdminService, createAdminService(replica, access, { nodes }));
    },
    {
      transport: {
        interceptors: [
          (next) => (request) => {
            for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
            return next(request);
          },
        ],
      },
    },
  );
  return { queue: createClient(QueueService, transport), admin: createClient(AdminService, transport) };
}

/** The headers of a backend, by the place of its key among the deployment's. */
export function backend(at = 0): Record<string, string> {
  return { [API_KEY_HEADER]: KEYS.api_keys[at]!.key };
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly message: string;
  /** When to try again, in ms; absent where that makes no sense. */
  readonly retry_ms: number | undefined;
}

/** What a client can read of a call's refusal. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof ConnectError)) throw new Error(`not refused, but ${JSON.stringify(error)}`);
  const [info] = error.findDetails(ErrorInfoSchema);
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: Code[error.code],
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    message: error.rawMessage,
    retry_ms: delay && Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000,
  };
}

/** The first message of a stream. */
export async function first<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new Error("the stream had no message");
}

/** All messages of a stream. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}
