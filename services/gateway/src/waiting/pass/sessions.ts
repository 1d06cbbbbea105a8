// Sessions of those who are there: whoever goes on using a pass is given more time, by a record, when less than half of
// it is left. No request waits for that.

import { type Place, type Replica, UsherError } from "@usher/replica";

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
