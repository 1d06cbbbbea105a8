// What the buyers are sent to: the shop itself, or something that protects it.

export interface RunningTarget {
  /** Where the buyers knock: one address for each of its nodes. */
  readonly urls: readonly string[];
  /** Ends one node at once, with nothing put in order. The only one is started again, on what it had stored; of
   * several, the others go on without it. Resolves when that is so. */
  strike(): Promise<void>;
  /** Restarts every node in order, one after the other: each is told to stop, and the next one's turn is when it takes
   * requests again. Rejects where one did not end by itself. */
  roll(): Promise<void>;
  /** Lets it end. */
  stop(): Promise<void>;
}

export interface Target {
  /** Resolves when it takes requests. */
  start(): Promise<RunningTarget>;
}

/** Makes the target when the shop's doors are known, of which each of its nodes has one; whatever it stores goes into
 * the directory. */
export type TargetMaker = (shopUrls: readonly string[], directory: string) => Target;

/** The shop itself, which is running already, and ends with the burst. */
export const shopItself: TargetMaker = (shopUrls) => ({
  start: async () => ({ urls: shopUrls, strike: async () => {}, roll: async () => {}, stop: async () => {} }),
});
