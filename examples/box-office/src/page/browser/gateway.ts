// Where Usher is, and the client for it.

import { createClient } from "@usher/sdk/web";
import { find } from "./elements.ts";

const configured = find<HTMLMetaElement>("meta[name=usher-gateways]").content.split(" ");

/** Of each node: other origins than this page's, unless the page itself came through one of them. */
const gateways = configured.some((url) => new URL(url).port === location.port)
  ? [location.origin]
  : configured;

/** The origin to ask for whatever is behind Usher, by `fetchFromUsher`. */
export const [gateway = ""] = gateways;

/** A client for each node, for looking, again and again: a look that fails is not repeated, for the next comes soon. */
export const nodes = gateways.map((baseUrl) => createClient({ baseUrl, attempts: 1, timeout: 3_000 }));

/** The gateway that answered last. */
let at = 0;

/** `fetch` from the first gateway, or from another while that one is not there: what a load balancer does where there is
 * one. A request has its key and a ticket its address, and both are the same at each node, so it may be made anywhere
 * again. */
export const fetchFromUsher: typeof fetch = async (input, init) => {
  for (let tries = 1; ; tries++) {
    try {
      return await fetch(`${input}`.replace(/^https?:\/\/[^/]+/, gateways[at] ?? gateway), init);
    } catch (error) {
      at = (at + 1) % gateways.length;
      if (tries >= gateways.length || init?.signal?.aborted) throw error;
    }
  }
};
