// A node's ports: taken at its start, so that whoever asks learns that it starts; served once there is a replica.

import { type Gateway, startGateway } from "@usher/gateway";
import { AdminService } from "@usher/protocol/admin";
import { QueueService } from "@usher/protocol/queue";
import { type NativeListener, nativeService, startNativeListener } from "@usher/queue-service";
import {
  Access,
  createAdminService,
  createQueueService,
  type Replica,
  type Requirement,
} from "@usher/replica";
import { EndpointError, type Metrics } from "@usher/telemetry";
import type { Config } from "./config/config.ts";
import { dataOf } from "./config/load.ts";
import { LISTEN_DEFAULTS } from "./config/schema.ts";
import { startNodeMetrics } from "./metrics.ts";
import { observeNativeCall } from "./observer.ts";

export interface ListenersOptions {
  /** The node's name, by its gateway's port. */
  readonly nameFor: (port: number) => string;
  /** Lifts API keys. */
  readonly demo: boolean;
  /** Why nothing is served yet, in words that anybody may read. */
  readonly starting: () => string;
  readonly onFault: (error: unknown) => void;
}

interface Open {
  readonly gateway: Gateway;
  readonly native: NativeListener;
  readonly metrics: OpenMetrics;
}

interface OpenMetrics {
  /** Where they are, or why they are nowhere; absent: nobody wants them. */
  readonly place?: string;
  readonly metrics?: Metrics;
}

export class Listeners {
  /** The node's name. */
  readonly name: string;
  readonly #config: Config;
  readonly #demo: boolean;
  readonly #open: Open;
  readonly #served: { replica?: Replica };

  private constructor(
    name: string,
    config: Config,
    demo: boolean,
    open: Open,
    served: { replica?: Replica },
  ) {
    this.name = name;
    this.#config = config;
    this.#demo = demo;
    this.#open = open;
    this.#served = served;
  }

  /** Rejects with a `BindError`, a `ListenError` or an `EndpointError` where a port cannot be taken, and with a
   * `CertificateError` where one cannot speak TLS, and leaves none open then. */
  static async open(config: Config, options: ListenersOptions): Promise<Listeners> {
    const { demo, nameFor, starting, onFault } = options;
    const { host, port, tls, grpc_port, metrics_port } = config.listen;
    await using opened = new AsyncDisposableStack();
    const { trusted_proxies, public_url, allowed_origins } = config;
    const gateway = opened.adopt(
      await startGateway({
        ...{ host, port, tls, starting, onFault },
        ...{ trusted_proxies, public_url, allowed_origins },
      }),
      (gateway) => gateway.close({ grace_ms: 0 }),
    );
    const native = opened.adopt(
      await startNativeListener({
        ...{ host, port: grpc_port, starting, onError: onFault, observe: observeNativeCall },
        services: [QueueService, AdminService],
      }),
      (native) => native.close({ grace_ms: 0 }),
    );
    const name = nameFor(gateway.port);
    const served: { replica?: Replica } = {};
    const data = dataOf(config.log);
    const metrics = await openMetrics(metrics_port, { name, data, replica: () => served.replica });
    opened.move();
    return new Listeners(name, config, demo, { gateway, native, metrics }, served);
  }

  /** Where the gateway is, for clients on this machine. */
  get url(): string {
    return this.#open.gateway.url;
  }

  get grpc_port(): number {
    return this.#open.native.port;
  }

  /** Where the metrics are, or why they are nowhere; absent where they are off. */
  get metrics(): string | undefined {
    return this.#open.metrics.place;
  }

  /** From now on the replica answers. Whether it is ready is told by `setReady`. */
  serve(replica: Replica): void {
    const { routes, services, nodes } = this.#config;
    const named = services.map(({ name, url }) => [name, { url }]);
    this.#served.replica = replica;
    this.#open.gateway.serve({
      ...{ replica, access: this.#access(replica, "backends"), routes, nodes },
      // Without a prototype: a service may be called `constructor`.
      services: Object.assign(Object.create(null), Object.fromEntries(named)),
    });
    const access = this.#access(replica, "all");
    this.#open.native.serve([
      nativeService(QueueService, createQueueService(replica, access)),
      nativeService(AdminService, createAdminService(replica, access, { nodes })),
    ]);
  }

  /** What gRPC's health says. (The gateway's `/readyz` asks the replica itself.) */
  setReady(ready: boolean): void {
    this.#open.native.setServing(ready);
  }

  /** Not ready any more, for good; everything is served as before. */
  leave(): void {
    this.setReady(false);
    this.#open.gateway.leave();
  }

  /** Takes nothing more, and lets what is under way end for `grace_ms` milliseconds. */
  async close(options: { readonly grace_ms: number }): Promise<void> {
    this.setReady(false);
    const { gateway, native, metrics } = this.#open;
    await Promise.all([gateway.close(options), native.close(options)]);
    await metrics.metrics?.close();
  }

  #access({ keys, hashes }: Replica, requirement: Requirement): Access {
    return new Access({ keys, hashes, require: this.#demo ? "none" : requirement });
  }
}

/** A port that was asked for must be had. The usual one may be another node's of this machine: that is said, and is no
 * reason not to serve. */
async function openMetrics(
  port: number | "off" | undefined,
  node: Parameters<typeof startNodeMetrics>[1],
): Promise<OpenMetrics> {
  if (port === "off") return {};
  try {
    const metrics = await startNodeMetrics({ port: port ?? LISTEN_DEFAULTS.metrics_port }, node);
    return { metrics, place: metrics.url };
  } catch (error) {
    if (port === undefined && error instanceof EndpointError) return { place: `none: ${error.message}` };
    throw error;
  }
}
