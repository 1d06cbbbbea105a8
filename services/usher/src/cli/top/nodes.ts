// The nodes, asked again and again, each by itself: one that hangs does not hold up the others.

import { setTimeout as pause } from "node:timers/promises";
import type { Node, QueueDetails } from "@usher/protocol/admin";
import { type AdminClient, failureText } from "../client.ts";

/** Between two times that a node is asked, in milliseconds. */
export const REFRESH_MS = 1_000;

/** How long an answer may take, in milliseconds; three refreshes. */
const ANSWER_MS = 3_000;

/** What one node said last. */
export type Sight = { readonly url: string } & (
  | { readonly kind: "unasked" }
  /** When it said so: by the monotonic clock, in milliseconds. */
  | {
      readonly kind: "seen";
      readonly node: Node;
      readonly queues: readonly QueueDetails[];
      readonly at_ms: number;
    }
  /** It does not answer; what it said before, if it ever did. */
  | { readonly kind: "away"; readonly why: string; readonly name: string | undefined }
);

export interface Place {
  readonly url: string;
  readonly client: Pick<AdminClient, "getNode" | "listQueues">;
}

/** Asks one node, once. */
async function ask({ url, client }: Place, before: Sight): Promise<Sight> {
  try {
    const options = { timeoutMs: ANSWER_MS };
    const [{ node }, { queues }] = await Promise.all([
      client.getNode({}, options),
      client.listQueues({}, options),
    ]);
    if (node === undefined) return { url, kind: "away", why: "it showed no node", name: undefined };
    return { url, kind: "seen", node, queues, at_ms: performance.now() };
  } catch (error) {
    return { url, kind: "away", why: failureText(error), name: nameOf(before) };
  }
}

/** The node's name, as far as it was ever told. */
export function nameOf(sight: Sight): string | undefined {
  if (sight.kind === "unasked") return undefined;
  return sight.kind === "seen" ? sight.node.name : sight.name;
}

export class Nodes {
  readonly #places: readonly Place[];
  readonly #sights: Sight[];

  constructor(places: readonly Place[]) {
    this.#places = places;
    this.#sights = places.map(({ url }) => ({ url, kind: "unasked" }));
  }

  /** In the order in which they were given. */
  get sights(): readonly Sight[] {
    return this.#sights;
  }

  /** Asks all of them once. */
  async askAll(): Promise<void> {
    await Promise.all(this.#places.map((place, at) => this.#ask(place, at)));
  }

  /** Asks them until the signal aborts, and tells after each answer. */
  async askOn(signal: AbortSignal, told: () => void): Promise<void> {
    await Promise.all(
      this.#places.map(async (place, at) => {
        while (!signal.aborted) {
          await this.#ask(place, at);
          if (!signal.aborted) told();
          await pause(REFRESH_MS, undefined, { signal }).catch(() => {});
        }
      }),
    );
  }

  async #ask(place: Place, at: number): Promise<void> {
    this.#sights[at] = await ask(place, this.#sights[at] ?? { url: place.url, kind: "unasked" });
  }
}
