// Where clients find Usher: two nodes, each at addresses that it keeps when it is started again.

/** A node, as clients know it. */
export interface Door {
  readonly name: string;
  /** `http://127.0.0.1:<port>` */
  readonly gatewayUrl: string;
  /** `127.0.0.1:<port>`, for native gRPC. */
  readonly nativeAddress: string;
}

export interface Doors {
  readonly all: readonly Door[];
  /** For the header `usher-api-key`. */
  readonly apiKey: string;
  /** The hash by which the log knows a caller's idempotency key, in hexadecimal. */
  keyHash(queue: string, caller: string, key: string): string;
}

/** The door that is not this one, where there are two. */
export function otherDoor({ all }: Doors, door: Door): Door {
  return all.find((one) => one !== door) ?? door;
}
