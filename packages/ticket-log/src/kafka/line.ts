// Keeps one writer's order: an entry whose payload is not durable yet holds up the writer's later ones, and nobody
// else's. Urgent ones have a line of their own.

import { LogError, type Payload } from "../log.ts";
import type { Operation } from "../operation.ts";

export interface LineOptions {
  /** Makes a payload durable. Rejects with a `LogError`. */
  readonly store: (payload: Payload) => Promise<void>;
  /** Takes an entry whose turn it is. */
  readonly ready: (operation: Operation, line: Line) => void;
  /** Takes one that ends here. */
  readonly ended: (operation: Operation, error: LogError) => void;
}

interface Place {
  readonly operation: Operation;
  ready: boolean;
}

export class Line {
  readonly #options: LineOptions;
  readonly #places: { readonly urgent: Place[]; readonly normal: Place[] } = { urgent: [], normal: [] };

  constructor(options: LineOptions) {
    this.#options = options;
  }

  add(operation: Operation): void {
    const { payload } = operation.record;
    const place = { operation, ready: payload === undefined };
    this.#placesOf(operation).push(place);
    if (payload === undefined) this.#release(operation);
    else
      this.#options.store(payload).then(
        () => this.#readied(place),
        (error: LogError) => this.#failed(place, error),
      );
  }

  /** Ends all that wait. */
  refuse(error: LogError): void {
    for (const places of [this.#places.urgent, this.#places.normal]) {
      for (const { operation } of places.splice(0)) this.#options.ended(operation, error);
    }
  }

  #readied(place: Place): void {
    place.ready = true;
    this.#release(place.operation);
  }

  #failed(place: Place, error: LogError): void {
    const places = this.#placesOf(place.operation);
    const at = places.indexOf(place);
    if (at < 0) return;
    places.splice(at, 1);
    // Of the entry nothing was sent, whatever became of its payload: one without an entry is nobody's.
    this.#options.ended(place.operation, new LogError(error.code, error.message, { cause: error }));
    this.#release(place.operation);
  }

  #release({ urgent }: Operation): void {
    const places = urgent ? this.#places.urgent : this.#places.normal;
    const held = places.findIndex(({ ready }) => !ready);
    for (const { operation } of places.splice(0, held < 0 ? places.length : held))
      this.#options.ready(operation, this);
  }

  #placesOf({ urgent }: Operation): Place[] {
    return urgent ? this.#places.urgent : this.#places.normal;
  }
}
