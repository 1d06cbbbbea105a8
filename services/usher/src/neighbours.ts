// Who else writes in a shared log: more nodes than the configuration counts on would let through more than the limits.

/** How often is looked, in milliseconds; 10,000. */
export const LOOK_MS = 10_000;

/** After how many looks in a row, each with too many nodes, it is said; 3: while nodes are replaced by others, those
 * that go and those that come are there together for a moment. */
const LOOKS = 3;

/** The part of a fold that is needed here. */
export interface Heard {
  readonly now_ms: number;
  readonly sessions: {
    entries(): readonly { readonly id: bigint; readonly heard_ms: number }[];
    node(id: bigint): string | undefined;
  };
}

export class Neighbours {
  readonly #own: string;
  readonly #nodes: number;
  /** Up to where in log time it has been looked. */
  #until_ms: number;
  #looks = 0;
  /** How many nodes have been spoken of. */
  #told = 0;

  /** `own`: this node's name; `nodes`: how many there should be. */
  constructor(own: string, nodes: number, { now_ms }: Heard) {
    this.#own = own;
    this.#nodes = nodes;
    this.#until_ms = now_ms;
  }

  /** Looks at who has written since the last look. Returns what is to be said of it, once for each number of nodes. */
  look({ now_ms, sessions }: Heard): string | undefined {
    const names = new Set([this.#own]);
    for (const { id, heard_ms } of sessions.entries())
      if (heard_ms > this.#until_ms) names.add(nodeOf(sessions.node(id) ?? ""));
    this.#until_ms = now_ms;
    this.#looks = names.size > this.#nodes ? this.#looks + 1 : 0;
    if (this.#looks < LOOKS || names.size <= this.#told) return undefined;
    this.#told = names.size;
    return (
      `${names.size} nodes write in this log (${[...names].sort().join(", ")}), and nodes is ${this.#nodes} here: ` +
      `together they let through more than the limits; set nodes: ${names.size} on all of them`
    );
  }
}

/** A node has several sessions, whose names begin with its own. */
function nodeOf(session: string): string {
  return session.split("/", 1)[0] ?? session;
}
