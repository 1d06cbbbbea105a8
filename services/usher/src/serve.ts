// `usher serve`: one replica of the log, and both listeners around it.
//
//   config ─▶ log ─▶ keys ─▶ replica ─▶ queues ─▶ gateway, native listener ─▶ ready
//
// Closing goes the same way back: unready, listeners, replica, log.

import { BindError, type Gateway, startGateway } from "@usher/gateway";
import { AdminService } from "@usher/protocol/admin";
import { QueueService } from "@usher/protocol/queue";
import { NoGenesisError, type Settings } from "@usher/queue";
import { ListenError, type NativeListener, nativeService, startNativeListener } from "@usher/queue-service";
import {
  Access,
  createAdminService,
  createQueueService,
  type Keys,
  KeysError,
  openKeys,
  Replica,
  type Requirement,
} from "@usher/replica";
import { LogError, openSqliteLog, type TicketLog } from "@usher/ticket-log";
import type { Config } from "./config/config.ts";
import { Failure } from "./failure.ts";
import { type Command, reconcile } from "./reconcile.ts";

/** How long requests and streams may go on after the node was told to stop, in milliseconds; ten seconds, which is
 * less than the thirty after which most supervisors kill. */
const GRACE_MS = 10_000;

/** This node's name in the log. One is enough: the embedded log has one node. */
const NODE = "embedded";

export interface ServeOptions {
  /** Where the configuration comes from, in words: `usher.yaml`. */
  readonly source: string;
  /** Lifts API keys. For loopback alone, which the caller sees to. */
  readonly demo: boolean;
  /** What of the configuration is applied to queues that exist. */
  readonly command: Command;
  /** Told, in a line each, what the operator should know of the queues. */
  readonly say: (line: string) => void;
  /** Told of what goes wrong while serving. */
  readonly onFault: (error: unknown) => void;
}

export interface Node {
  /** Where the gateway is, for clients on this machine. */
  readonly url: string;
  /** The native listener's port. */
  readonly grpc_port: number;
  /** The configuration's queues, as the log has them now. */
  readonly queues: readonly { readonly name: string; readonly settings: Settings }[];
  /** Resolves when all that was under way has ended, or its grace is over. */
  close(): Promise<void>;
}

/** Resolves when the node is ready. Rejects with a `Failure` where there is something that an operator can do, and
 * leaves nothing open then. */
export async function serve(config: Config, options: ServeOptions): Promise<Node> {
  try {
    return await open(config, options);
  } catch (error) {
    throw explained(error);
  }
}

/** The pieces' own errors say what is wrong and where; which flag mends it is known here alone. */
function explained(error: unknown): unknown {
  const words = error instanceof Error ? error.message : "";
  if (error instanceof BindError) return new Failure(`${words} (--port, or listen.port in the file)`);
  if (error instanceof ListenError)
    return new Failure(`${words} (--grpc-port, or listen.grpc_port in the file)`);
  const said = [LogError, KeysError, NoGenesisError].some((kind) => error instanceof kind);
  return said ? new Failure(words, { cause: error }) : error;
}

async function open(config: Config, options: ServeOptions): Promise<Node> {
  await using opened = new AsyncDisposableStack();
  const log = opened.adopt(await openSqliteLog({ directory: config.log.directory }), (log) => log.close());
  const keys = await keysFor(log, config.keys);
  const { onFault } = options;
  const replica = opened.adopt(await Replica.open({ log, keys, node: NODE, onFault }), (replica) =>
    replica.close(),
  );
  const { queues } = config;
  const { source, command } = options;
  for (const line of await reconcile(replica, { queues, command, source })) options.say(line);
  const gateway = opened.adopt(await openGateway(config, replica, options), (gateway) =>
    gateway.close({ grace_ms: GRACE_MS }),
  );
  const native = await openNative(config, replica, options);
  native.setServing(true);
  opened.move();
  return {
    url: gateway.url,
    grpc_port: native.port,
    queues: queues.flatMap(({ name }) => {
      const settings = replica.fold.queue(name)?.settings;
      return settings === undefined ? [] : [{ name, settings }];
    }),
    async close() {
      native.setServing(false);
      replica.drain();
      await Promise.all([gateway.close({ grace_ms: GRACE_MS }), native.close({ grace_ms: GRACE_MS })]);
      await replica.close();
      await log.close();
    },
  };
}

/** Keys are made together with the log, once: fresh ones beside an old log would void every token in it, and leave
 * its stored requests unreadable. */
async function keysFor(log: TicketLog, file: string): Promise<Keys> {
  return openKeys({ file, create: (await log.end()) === 0 });
}

function accessFor(replica: Replica, requirement: Requirement, demo: boolean): Access {
  return new Access({ keys: replica.keys, hashes: replica.hashes, require: demo ? "none" : requirement });
}

function openGateway(config: Config, replica: Replica, { demo, onFault }: ServeOptions): Promise<Gateway> {
  return startGateway({
    replica,
    access: accessFor(replica, "backends", demo),
    routes: config.routes,
    // Without a prototype: a service may be called `constructor`.
    services: Object.assign(
      Object.create(null),
      Object.fromEntries(config.services.map(({ name, url }) => [name, { url }])),
    ),
    nodes: config.nodes,
    public_url: config.public_url,
    host: config.listen.host,
    port: config.listen.port,
    onFault,
  });
}

function openNative(
  config: Config,
  replica: Replica,
  { demo, onFault }: ServeOptions,
): Promise<NativeListener> {
  const access = accessFor(replica, "all", demo);
  return startNativeListener({
    host: config.listen.host,
    port: config.listen.grpc_port,
    services: [
      nativeService(QueueService, createQueueService(replica, access)),
      nativeService(AdminService, createAdminService(replica, access)),
    ],
    onError: onFault,
  });
}
