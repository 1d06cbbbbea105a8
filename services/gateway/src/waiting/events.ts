// A ticket as a stream of server-sent events (HTML, 9.2): a snapshot at once, then every change worth showing, and at
// least a comment before anybody in between takes the silence for the end. Counted with the streams of WatchPosition.

import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Place, Replica } from "@usher/replica";
import { type EdgeRequest, type EdgeResponse, goneSignal } from "../listener/exchange.ts";
import { respond } from "../listener/respond.ts";

/** Within this time, in ms, the clients of a node that shuts down come back, each at a random moment; 2,000. */
const RECONNECT_WITHIN_MS = 2_000;

/** Between these times, in ms, those come back whose stream broke off, each at a moment of its own; 1,000 to 6,000. */
const RETRY_FROM_MS = 1_000;
const RETRY_SPREAD_MS = 5_000;

/** The id of the event that tells a ticket's end: who has seen it need not come again. */
const END_ID = "end";

/** What is told of a place. `same`: what makes it worth telling. */
export interface Told {
  readonly data: string;
  readonly same: string;
}

export function wantsEvents(req: EdgeRequest): boolean {
  return /(?:^|,)\s*text\/event-stream\s*(?:;|,|$)/i.test(`${req.headers.accept ?? ""}`);
}

/** Streams a ticket until its end. Rejects, before anything is sent, where there is no room for another stream. */
export async function streamEvents(
  replica: Replica,
  req: EdgeRequest,
  res: EdgeResponse,
  place: Place,
  tell: (place: Place) => Told | Promise<Told>,
): Promise<void> {
  const hasSeenTheEnd = req.headers["last-event-id"] === END_ID;
  if (hasSeenTheEnd && hasEnded(place)) {
    // The status that tells an EventSource to stop.
    respond(res, 204, [["cache-control", "no-store"]], undefined);
    return;
  }
  if (req.method === "HEAD") {
    // There is no body that would have an end.
    begin(res);
    res.end();
    return;
  }
  const gone = goneSignal(res);
  // Nobody reads its body, and until it has ended a stream of HTTP/2 does not close.
  req.resume();
  const sink: Writable = res;
  let last = place;
  let told: string | undefined;
  const write = async (text: string): Promise<void> => {
    if (!res.headersSent) begin(res);
    if (!sink.write(text)) await once(sink, "drain", { signal: gone });
  };
  try {
    for await (const now of replica.desk.watch(place, gone)) {
      last = now;
      const { data, same } = await tell(now);
      const first = told === undefined ? `retry: ${RETRY_FROM_MS + random(RETRY_SPREAD_MS)}\n` : "";
      await write(same === told ? ": still here\n\n" : `${first}${event(now, data)}`);
      told = same;
    }
    if (!hasEnded(last) && replica.draining.aborted && !gone.aborted) {
      last = replica.desk.again(last);
      const { data } = await tell(last);
      await write(`retry: ${random(RECONNECT_WITHIN_MS)}\n${event(last, data)}`);
    }
    if (!res.headersSent && !gone.aborted) begin(res);
    sink.end();
  } catch (error) {
    if (!gone.aborted) throw error;
  }
}

function begin(res: EdgeResponse): void {
  res.statusCode = 200;
  res.setHeader("content-type", "text/event-stream");
  res.setHeader("cache-control", "no-store");
  res.appendHeader("vary", "Accept");
  // nginx would keep events back until it has a buffer full of them.
  res.setHeader("x-accel-buffering", "no");
}

function event(place: Place, data: string): string {
  return `id: ${hasEnded(place) ? END_ID : place.asOf}\ndata: ${data}\n\n`;
}

function hasEnded({ view }: Place): boolean {
  return view.position === undefined;
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}
