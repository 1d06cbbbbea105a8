// What the buyers are sent to: the shop itself, or something that protects it.

export interface RunningTarget {
  /** Where the buyers knock; the same after a kill and another start. */
  readonly url: string;
  /** Ends it at once, with nothing put in order. */
  kill(): Promise<void>;
  /** Lets it end. */
  stop(): Promise<void>;
}

export interface Target {
  /** Resolves when it takes requests. After a kill it starts again, on what it had stored. */
  start(): Promise<RunningTarget>;
}

/** Makes the target when the shop's address is known; whatever it stores goes into the directory. */
export type TargetMaker = (shopUrl: string, directory: string) => Target;

/** The shop itself, which is running already, and ends with the burst. */
export const shopItself: TargetMaker = (shopUrl) => ({
  start: async () => ({ url: shopUrl, kill: async () => {}, stop: async () => {} }),
});
