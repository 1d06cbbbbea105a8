// What the page is told of the crowds and of the shops that they come to. For the server and the browser alike.

/** One of two crowds, which are alike, and the shop that it comes to. */
export interface Side {
  /** How many of the buyers have come, had to wait, and what became of them. */
  readonly crowd: Readonly<Record<"come" | "ticketed" | "answered" | "failed" | "unknown" | "lost", number>>;
  /** From the first who came until now, or until the last went home; 0: nobody has come. */
  readonly lasted_ms: number;
  /** Purchases at the shop now, and at most so far; seats sold since the crowd was sent. */
  readonly shop: Readonly<Record<"inFlight" | "inFlightMax" | "sold", number>>;
}

/** What both shops had at once, so many milliseconds after the crowds were sent. */
export type Moment = Readonly<Record<"at_ms" | "direct" | "usher", number>>;

export interface Figures {
  /** How often the crowds have been sent; 0: never. What follows is of the last time. */
  readonly run: number;
  readonly isRunning: boolean;
  /** In each of the crowds. */
  readonly buyers: number;
  readonly direct: Side;
  readonly usher: Side;
  /** From the one that was asked for; how many there are before it. */
  readonly moments: readonly Moment[];
  readonly momentsBefore: number;
  /** Why the last run came to nothing; absent where it did not. */
  readonly fault?: string;
}
