// Sessions of those who are there: whoever goes on using a pass is given more time, by a record, when less than half of
// it is left. No request waits for that. A connection that goes on in another protocol is a use for as long as it lives,
// and does not outlive its ticket.

import { type Place, type Replica, UsherError } from "@usher/replica";

/** How often, in ms, the ticket of such a connection is looked at; 1,000, or a quarter of the session where that is less,
 * so that it is extended in time. A look is two lookups in maps. */
const LOOK_MS = 1_000;

/** Uses the pass until it is told to stop; when the ticket is not admitted any more, ends it, once. */
export function usedUntil(replica: Replica, place: Place, end: () => void): () => void {
  const [queue, epoch] = [place.queue.name, replica.epoch()];
  const look = (): void => {
    const held = replica.fold.queue(queue);
    const view = epoch === replica.epoch() ? held?.ticket(place.view.number) : undefined;
    if (held !== undefined && view?.state === "admitted") {
      used(replica, { queue: held, view, asOf: replica.asOf });
      return;
    }
    clearInterval(timer);
    end();
  };
  const quarter_ms = (place.view.session?.length_ms ?? Number.POSITIVE_INFINITY) / 4;
  const timer = setInterval(look, Math.min(LOOK_MS, quarter_ms));
  return () => clearInterval(timer);
}

/** Tells that a ticket's pass is used. */
export function used(replica: Replica, place: Place): void {
  if (!isDue(replica, place)) return;
  // Where the log takes nothing at present, the next request tries again; and a session may have ended just now.
  replica.desk.extend(place).catch(() => undefined);
}

/** An admitted ticket with a pass that services still take: where its time is over and its slot is not yet freed, its
 * session is begun anew. Absent where it has ended meanwhile. Rejects where the log takes nothing. */
export async function revived(replica: Replica, place: Place): Promise<Place | undefined> {
  if (passLeft_ms(replica, place) > 0) return place;
  try {
    return await replica.desk.extend(place);
  } catch (error) {
    if (error instanceof UsherError && ENDED.has(error.reason)) return undefined;
    throw error;
  }
}

const ENDED: ReadonlySet<string> = new Set(["NOT_ADMITTED", "TICKET_NOT_FOUND"]);

/** By log time, in which the slot is freed, or by the clock on the wall, by which services read the pass. */
function isDue(replica: Replica, place: Place): boolean {
  const { session } = place.view;
  const left_ms = replica.desk.sessionLeft_ms(place);
  if (session === undefined || left_ms === undefined) return false;
  return Math.min(left_ms, passLeft_ms(replica, place)) < session.length_ms / 2;
}

/** How long the pass of an admitted ticket is good, in ms by the clock on the wall. */
export function passLeft_ms({ clock }: Replica, { view: { session } }: Place): number {
  return session === undefined ? 0 : session.started_ms + session.length_ms - clock.wall_ms();
}
