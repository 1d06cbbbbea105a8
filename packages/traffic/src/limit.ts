// What a queue may spend, and one node's share of it.

/** The largest rate, in thousandths of a request a second: a million a second. */
export const MAX_RATE_THOUSANDTHS = 1_000_000_000;

/** The largest room, in requests in flight. */
export const MAX_ACTIVE = 1_000_000;

/** The most nodes that one limit is divided among. */
export const MAX_NODES = 1_000;

export interface Limit {
  /** Thousandths of a request a second, for all nodes together; 0: no limit of rate. */
  readonly rate_thousandths: number;
  /** Requests in flight at once, on all nodes together; 0: no limit of room. */
  readonly max_active: number;
  /** How many nodes share the limit, by configuration; default 1. Each takes an equal part, room rounded down, so
   * that the parts never add up to more than the whole. */
  readonly nodes?: number;
  /** How much of this node's room something else than its own requests occupies now: tickets that are active by
   * RPC. Default 0. May exceed the room, which then is empty. */
  readonly reserved?: number;
}

/** A limit that nobody can keep: its message names the setting, the value and what would do. */
export class LimitError extends RangeError {
  override readonly name = "LimitError";
}

/** The limit with its defaults filled in.
 * @throws LimitError */
export function checked(limit: Limit): Required<Limit> {
  const { rate_thousandths, max_active, nodes = 1, reserved = 0 } = limit;
  whole("rate_thousandths", rate_thousandths, 0, MAX_RATE_THOUSANDTHS);
  whole("max_active", max_active, 0, MAX_ACTIVE);
  whole("nodes", nodes, 1, MAX_NODES);
  whole("reserved", reserved, 0, Number.MAX_SAFE_INTEGER);
  if (max_active !== 0 && max_active < nodes)
    throw new LimitError(
      `max_active ${max_active} is below nodes ${nodes}: a node's share would be no room at all; ` +
        `raise max_active to ${nodes} or more, or run fewer nodes`,
    );
  return { rate_thousandths, max_active, nodes, reserved };
}

function whole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new LimitError(`${name} is ${value}; it has to be a whole number from ${least} to ${most}`);
}
