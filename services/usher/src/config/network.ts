// Readers of addresses: origins, hosts, blocks of addresses. Where the log is: `log-url.ts`.

import { isIP } from "node:net";
import { Mistake, shown } from "./mistake.ts";
import { string } from "./readers.ts";

/** `http://host:port`, and nothing after it: paths are sent on as they come. */
export function origin(value: unknown): string {
  const wanted = "an address such as http://localhost:3000";
  const text = string(value, wanted);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:\/\/[^/]/i.test(text))
    throw new Mistake(`${shown(text)} is not an http or https address; give ${wanted}`);
  if (url.username !== "" || url.password !== "")
    throw new Mistake(`has a user name or password in it; give ${wanted}`);
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "" || /[?#]$/.test(text))
    throw new Mistake(`${shown(text)} has more than scheme, host and port; give ${wanted}`);
  return url.origin;
}

/** The origin of pages that may call from a browser. */
export function pageOrigin(value: unknown): string {
  const wanted = "the origin of pages, such as https://shop.example.com";
  const text = string(value, wanted);
  if (text.includes("*"))
    throw new Mistake(
      `${shown(text)} would let any page act for its visitors, by their cookies; give ${wanted}, each by itself`,
    );
  return origin(text);
}

/** A block of addresses, `10.0.0.0/8`, or a single address. */
export function cidr(value: unknown): string {
  const wanted = "a block of addresses such as 10.0.0.0/8 or fd00::/8, or one address";
  const text = string(value, wanted);
  const parts = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  const family = isIP(parts?.[1] ?? "");
  const bits = family === 4 ? 32 : 128;
  if (family === 0 || Number(parts?.[2] ?? 0) > bits || text.includes("%"))
    throw new Mistake(`${shown(text)} is no such block; give ${wanted}`);
  return parts?.[2] === undefined ? `${text}/${bits}` : text;
}

/** What to listen on: a host's name or address. */
export function host(value: unknown): string {
  const wanted = "a name or an address, such as localhost, 127.0.0.1 or 0.0.0.0";
  const text = string(value, wanted);
  if (isIP(text) !== 0 || isHostName(text)) return text;
  throw new Mistake(`${shown(text)} is neither; give ${wanted}`);
}

/** Whether it can be a machine's name. All digits and dots, and yet no address, is a slip, not a name. */
export function isHostName(text: string): boolean {
  const name = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$/i;
  return name.test(text) && !/^[\d.]+$/.test(text);
}

/** Whether only this machine can reach a listener there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
