// `Forwarded`, RFC 7239: read and written.

/** One hop's parameters, by their names in small letters. */
export type ForwardedHop = ReadonlyMap<string, string>;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
/** A parameter, or nothing, and what ends it: a semicolon, a comma, or the end. */
const PARAMETER = new RegExp(
  String.raw`[ \t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}|[^",; \t]+)[ \t]*)?([;,]|$)`,
  "y",
);

/** The hops, the client's first; absent where it cannot be read. */
export function readForwarded(header: string): ForwardedHop[] | undefined {
  const hops: ForwardedHop[] = [];
  let hop = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  for (;;) {
    const found = PARAMETER.exec(header);
    if (found === null) return undefined;
    const [, name, value = "", end] = found;
    if (name !== undefined) hop.set(name.toLowerCase(), unquoted(value));
    if (end === ";") continue;
    if (hop.size > 0) hops.push(hop);
    if (end === "") return hops;
    hop = new Map();
  }
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
}

/** The header for a request that came through these hops. What its client asked for stands at the first. */
export function writeForwarded(
  hops: readonly string[],
  client: { readonly scheme: string; readonly host: string | undefined },
): string {
  const [first, ...others] = hops.map(
    (address) => `for=${address.includes(":") ? `"[${address}]"` : address}`,
  );
  const host = client.host === undefined ? "" : `;host="${client.host}"`;
  return [`${first};proto=${client.scheme}${host}`, ...others].join(", ");
}
