// What the page is told of the crowds and of the shops that they come to. For the server and the browser alike.

/** One of two crowds, which are alike, and the shop that it comes to. */
export interface Side {
  /** How many of the buyers have come, had to wait, and what became of them. */
  readonly crowd: Readonly<Record<"come" | "ticketed" | "answered" | "failed" | "unknown" | "lost", number>>;
  /** Purchases at the shop now, and at most so far; seats sold since the crowd was sent. */
  readonly shop: Readonly<Record<"inFlight" | "inFlightMax" | "sold", number>>;
}

export interface Figures {
  /** How often the crowds have been sent; 0: never. What follows is of the last time. */
  readonly run: number;
  readonly isRunning: boolean;
  /** In each of the crowds. */
  readonly buyers: number;
  readonly direct: Side;
  readonly usher: Side;
  /** Why the last run came to nothing; absent where it did not. */
  readonly fault?: string;
}
