// Who a request is from: address, scheme and host of the client, as its connection tells, or as proxies tell that are
// trusted to. Everybody who needs one of the three asks `clientOf`; nobody else reads forwarding headers.
//
// A trusted proxy's words are read from the right: the last hop was seen by the proxy itself, the one before it by
// whom that hop is, and so on up to the first that is not trusted. What stands further left anybody may have written,
// so it is dropped.

import { BlockList, isIP } from "node:net";
import { HOST } from "./door.ts";
import { addressOf, authorityOf, type EdgeRequest, isEncrypted } from "./exchange.ts";
import { readForwarded } from "./forwarded.ts";

export interface ClientView {
  /** An IP address without port or brackets; `unknown` where its connection is gone, or a proxy would not say. */
  readonly address: string;
  /** What the client speaks: what `public_url` says where there is one, else a trusted proxy, else the connection. */
  readonly scheme: Scheme;
  /** Host, and port where it is not the scheme's own, that the client asked for; absent in HTTP/1.0 without a Host. */
  readonly host: string | undefined;
  /** Below what links for the client begin: `public_url`, or else scheme and host. Absent without either. */
  readonly origin: string | undefined;
  /** The addresses that the request came through, of which the first is the client's and the last is that of whoever
   * is connected here. */
  readonly hops: readonly [string, ...string[]];
}

export type Scheme = "http" | "https";

/** What stands for an address that nobody knows (RFC 7239, 6.2). */
const UNKNOWN = "unknown";

/** What one listener believes. */
export class Provenance {
  readonly #public_url: string | undefined;
  readonly #trusted = new BlockList();

  /** `trusted_proxies`: CIDR blocks, `10.0.0.0/8`; by default nobody is trusted. `public_url`: an origin. */
  constructor(
    options: { readonly trusted_proxies?: readonly string[]; readonly public_url?: string | undefined } = {},
  ) {
    for (const block of options.trusted_proxies ?? []) {
      const [address = "", bits] = block.split("/");
      this.#trusted.addSubnet(address, Number(bits), familyOf(address));
    }
    this.#public_url = options.public_url;
  }

  view(req: EdgeRequest): ClientView {
    const peer = addressOf(req) ?? UNKNOWN;
    const claim = this.trusts(peer) ? readClaim(req) : undefined;
    const hops: [string, ...string[]] = [peer];
    // How many hops to the left of the peer are believed.
    let believed = 0;
    for (const address of (claim?.addresses ?? []).toReversed()) {
      believed += 1;
      hops.unshift(address);
      if (!this.trusts(address)) break;
    }
    const at = (claim?.addresses.length ?? 0) - believed;
    const scheme = schemeOf(this.#public_url) ?? schemeOf(claim?.scheme(at)) ?? ownScheme(req);
    const host = hostOf(claim?.host(at)) ?? authorityOf(req);
    const origin = this.#public_url ?? (host === undefined ? undefined : `${scheme}://${host}`);
    return { address: hops[0], scheme, host, origin, hops };
  }

  /** Whether it is a proxy's of `trusted_proxies`. */
  trusts(address: string): boolean {
    return isIP(address) !== 0 && this.#trusted.check(address, familyOf(address));
  }
}

const NOBODY_TRUSTED = new Provenance();
const believedBy = new WeakMap<EdgeRequest, Provenance>();
const views = new WeakMap<EdgeRequest, ClientView>();

/** Has a request looked at by these rules. To be called by the listener, before anybody asks. */
export function believe(req: EdgeRequest, provenance: Provenance): void {
  believedBy.set(req, provenance);
}

/** Who the request is from. */
export function clientOf(req: EdgeRequest): ClientView {
  const known = views.get(req);
  if (known !== undefined) return known;
  const view = (believedBy.get(req) ?? NOBODY_TRUSTED).view(req);
  views.set(req, view);
  return view;
}

/** Whether whoever is connected here is a trusted proxy: by the connection alone, whatever the request says. */
export function isFromProxy(req: EdgeRequest): boolean {
  return (believedBy.get(req) ?? NOBODY_TRUSTED).trusts(addressOf(req) ?? UNKNOWN);
}

/** What proxies say: of the client first, of the last of them last. */
interface Claim {
  /** Addresses; `unknown` for what is none. */
  readonly addresses: readonly string[];
  /** What the client of that hop spoke, and whom it asked for, in the words that came. */
  scheme(at: number): string | undefined;
  host(at: number): string | undefined;
}

/** `X-Forwarded-*` where there is any, or else `Forwarded`: most proxies set the former, and leave a client's own
 * `Forwarded` as it came. */
function readClaim(req: EdgeRequest): Claim | undefined {
  const addresses = listOf(req, "x-forwarded-for");
  const schemes = listOf(req, "x-forwarded-proto");
  const hosts = listOf(req, "x-forwarded-host");
  if (addresses.length + schemes.length + hosts.length === 0) return readForwardedClaim(req);
  // A proxy that does not add to a list sets its only value; of a list of another length, the nearest proxy's word.
  const ofHop = (list: readonly string[], at: number) =>
    list.length === addresses.length ? list[at] : list.at(-1);
  return {
    addresses: addresses.map(addressIn),
    scheme: (at) => ofHop(schemes, at),
    host: (at) => ofHop(hosts, at),
  };
}

function readForwardedClaim(req: EdgeRequest): Claim | undefined {
  const hops = readForwarded(`${req.headers.forwarded ?? ""}`);
  if (hops === undefined || hops.length === 0) return undefined;
  return {
    addresses: hops.map((hop) => addressIn(hop.get("for") ?? "")),
    scheme: (at) => hops[at]?.get("proto"),
    host: (at) => hops[at]?.get("host"),
  };
}

function listOf(req: EdgeRequest, name: string): string[] {
  const value = req.headers[name];
  if (value === undefined || value === "") return [];
  return `${value}`.split(",").map((part) => part.trim());
}

/** An address without the brackets and the port that it may come with. */
function addressIn(text: string): string {
  const bare = text.replace(/^\[(.*)\](?::\d{1,5})?$/, "$1").replace(/^([\d.]+):\d{1,5}$/, "$1");
  return isIP(bare) === 0 || bare.includes("%") ? UNKNOWN : bare.replace(/^::ffff:(?=\d+\.)/i, "");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

function schemeOf(text: string | undefined): Scheme | undefined {
  const [, scheme] = /^(https?)(?::|$)/i.exec(text ?? "") ?? [];
  if (scheme === undefined) return undefined;
  return scheme.length === "https".length ? "https" : "http";
}

function ownScheme(req: EdgeRequest): Scheme {
  return isEncrypted(req) ? "https" : "http";
}

function hostOf(text: string | undefined): string | undefined {
  return text !== undefined && HOST.test(text) ? text : undefined;
}
