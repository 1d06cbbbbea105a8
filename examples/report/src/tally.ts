// What happened in one queue within one minute.

export interface Tally {
  /** Tickets issued. */
  tickets: number;
  /** Asked for under a key or subject that has a ticket: retries, which got the same ticket. */
  again: number;
  /** Asked for and refused: the queue was closed, or the key had been used for another request. */
  refused: number;
  /** Stored requests taken up to be sent, for the first time. */
  claimed: number;
  /** From the issue to the first claim, or to the end of whom nobody claimed; in milliseconds, by wall clocks. */
  readonly waits_ms: number[];
  /** The service's answers by the first digit of their status, from 0 to 9. */
  readonly answered: number[];
  /** Surely not carried out, and given up. */
  failed: number;
  /** Perhaps carried out. A late answer may still come; it is counted as answered then, too. */
  unknown: number;
  /** Given up by their holders. */
  left: number;
  /** Nobody claimed them as long as they might wait. Without a stored request: nobody completed them in time. */
  expired: number;
  /** Ended by a backend's word. */
  completed: number;
}

export function emptyTally(): Tally {
  return {
    tickets: 0,
    again: 0,
    refused: 0,
    claimed: 0,
    waits_ms: [],
    answered: Array(10).fill(0),
    failed: 0,
    unknown: 0,
    left: 0,
    expired: 0,
    completed: 0,
  };
}
