// A queue of its own for every case, so that none sees another's tickets. They are all in the configuration from the
// start, by what a case needs of them.

/** What can be asked for, and how many of it one run through all cases takes at most. All are of kind `pass`: their
 * tickets are issued by RPC, and carry no request. */
const SHAPES = {
  /** One place: the first ticket is admitted at once, the rest wait for it. */
  one: { settings: "limit: { max_active: 1 }", count: 100 },
  /** Three places. */
  three: { settings: "limit: { max_active: 3 }", count: 15 },
  /** Nobody is admitted but by Admit, of whom ten fit. */
  paused: { settings: "mode: paused, limit: { max_active: 10 }", count: 40 },
  /** Takes no newcomers. */
  closed: { settings: "mode: closed, limit: { max_active: 1 }", count: 1 },
  /** Holds three tickets. */
  small: { settings: "limit: { max_active: 1 }, max_waiting: 3", count: 1 },
  /** Admits one every 20 ms. */
  paced: { settings: "limit: { rate_per_second: 50 }", count: 1 },
} as const;

export type Shape = keyof typeof SHAPES;

export class Queues {
  readonly #runs: number;
  readonly #taken = new Map<Shape, number>();

  /** For so many runs through all cases. */
  constructor(runs: number) {
    this.#runs = runs;
  }

  /** The text of an `usher.yaml`. */
  get config(): string {
    const lines = Object.entries(SHAPES).flatMap(([shape, { settings, count }]) =>
      Array.from(
        { length: count * this.#runs },
        (_, i) => `  ${shape}-${i}: { kind: pass, max_wait: 1h, session: 1h, ${settings} }`,
      ),
    );
    return `queues:\n${lines.join("\n")}\n`;
  }

  /** The name of one that nobody has used. */
  take(shape: Shape): string {
    const index = this.#taken.get(shape) ?? 0;
    if (index === SHAPES[shape].count * this.#runs) {
      throw new Error(`no queue "${shape}" is left: raise its count`);
    }
    this.#taken.set(shape, index + 1);
    return `${shape}-${index}`;
  }
}
