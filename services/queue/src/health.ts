// Health: gRPC's health checking protocol, which load balancers, probes and clients ask. (grpc-health-check remembers
// every name that anybody ever watched, and its description of itself is one that grpcurl cannot read.)

import { EventEmitter, once } from "node:events";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health as HealthService,
  HealthCheckResponse_ServingStatus as Serving,
} from "@usher/protocol/health";

export class Health {
  /** The services by name, and "" for the server as a whole. */
  readonly #names: readonly string[];
  /** Emits "change". As many listen as streams watch. */
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #status: Serving = Serving.NOT_SERVING;
  #closed = false;

  constructor(services: readonly string[]) {
    this.#names = ["", ...services];
  }

  /** All services serve, or none does: they stand on one replica. */
  set serving(serving: boolean) {
    this.#status = serving ? Serving.SERVING : Serving.NOT_SERVING;
    this.#changes.emit("change");
  }

  /** Says NOT_SERVING to all who watch, and ends their streams. */
  close(): void {
    this.#closed = true;
    this.serving = false;
  }

  readonly service: ServiceImpl<typeof HealthService> = {
    check: ({ service }) => {
      if (!this.#names.includes(service)) {
        throw new ConnectError("there is no such service here", Code.NotFound);
      }
      return { status: this.#status };
    },

    watch: ({ service }, { signal }) => this.#watch(service, signal),

    list: () => ({
      statuses: Object.fromEntries(this.#names.map((name) => [name, { status: this.#status }])),
    }),
  };

  async *#watch(service: string, signal: AbortSignal) {
    let told: Serving | undefined;
    while (!this.#closed || told !== this.#statusOf(service)) {
      const status = this.#statusOf(service);
      if (status !== told) {
        yield { status };
        told = status;
      } else {
        await once(this.#changes, "change", { signal });
      }
    }
    throw new ConnectError("the server shuts down", Code.Unavailable);
  }

  #statusOf(service: string): Serving {
    return this.#names.includes(service) ? this.#status : Serving.SERVICE_UNKNOWN;
  }
}
