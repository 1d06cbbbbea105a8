// The ways to watch a place: the shipped client's, and what one writes by hand. Each caller has a connection of its own,
// takes a ticket, and tells its status until it is admitted.

import { setTimeout as sleep } from "node:timers/promises";
import { createClient, createFetch, type QueueClient } from "@usher/sdk";

export const QUEUE = "show";
/** What a service behind the gateway has, for those who have waited. */
export const PATH = "/show";

/** How long one waits by hand, in milliseconds; 3,000, as an EventSource does in Chromium where the server does not say. */
const BY_HAND_MS = 3_000;

export interface Where {
  readonly gatewayUrl: string;
  readonly nativePort: number;
  readonly apiKey: string;
}

/** As much of a status as is looked at. */
export interface Told {
  readonly number: number;
  readonly state: string;
  readonly position?: number;
}

export type Tell = (told: Told) => void;

/** `index`: which of the callers, from 0. Resolves when it is admitted. */
type Watch = (where: Where, index: number, tell: Tell) => Promise<void>;

export const WAYS = {
  grpc: ({ nativePort, apiKey }, index, tell) =>
    watched(createClient({ baseUrl: `http://${loopback(index)}:${nativePort}`, apiKey }), tell),

  events: async ({ gatewayUrl }, _, tell) => {
    const response = await createFetch({ onStatus: tell })(`${gatewayUrl}${PATH}`);
    await response.body?.cancel();
  },

  "by-hand": async ({ gatewayUrl }, _, tell) => {
    const response = await fetch(`${gatewayUrl}${PATH}`);
    const { ticket_url } = (await response.json()) as { readonly ticket_url: string };
    for (;;) {
      if (await isAdmitted(`${gatewayUrl}${ticket_url}`, tell).catch(() => false)) return;
      await sleep(BY_HAND_MS);
    }
  },
} as const satisfies Readonly<Record<string, Watch>>;

export type Way = keyof typeof WAYS;

export function isWay(name: string | undefined): name is Way {
  return name !== undefined && Object.hasOwn(WAYS, name);
}

/** An address of this machine for each caller: gRPC's clients of one process share a connection to the same one. */
function loopback(index: number): string {
  return `127.1.${index >> 8}.${index & 255}`;
}

async function watched(client: QueueClient, tell: Tell): Promise<void> {
  const ticket = await client.issue(QUEUE);
  for await (const status of ticket.watch()) {
    tell(status);
    if (status.state === "admitted") break;
  }
  client.close();
}

/** Reads server-sent events until the stream ends, or tells of the admission. */
async function isAdmitted(url: string, tell: Tell): Promise<boolean> {
  const response = await fetch(url, { headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const events = `${text}${chunk}`.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data === undefined) continue;
      const { ticket } = JSON.parse(data) as { readonly ticket: Told };
      tell({ ...ticket, state: ticket.state.replace("TICKET_STATE_", "").toLowerCase() });
      if (ticket.state === "TICKET_STATE_ADMITTED") return true;
    }
  }
  return false;
}
