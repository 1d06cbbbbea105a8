// What a node tells on its metrics' port.

import type { Usher } from "./usher.ts";

/** Everything that it shows, as Prometheus reads it. */
export async function scrape(usher: Usher): Promise<string> {
  const [, url] = /metrics +(http:[^ \n]+)/.exec(usher.output()) ?? [];
  if (url === undefined) throw new Error("the node has not said where its metrics are");
  return (await fetch(url)).text();
}

/** A counter's value; 0 before it has counted anything. `labels`: as they are shown, `reason="loop"`. */
export async function counted(usher: Usher, name: string, labels: string): Promise<number> {
  const lines = (await scrape(usher)).split("\n");
  return Number(
    lines
      .find((line) => line.startsWith(`${name}{${labels}} `))
      ?.split(" ")
      .at(-1) ?? 0,
  );
}

/** How often a problem of this reason has been answered. */
export function refusalsCounted(usher: Usher, reason: string): Promise<number> {
  return counted(usher, "usher_gateway_refusals_total", `reason="${reason}"`);
}
