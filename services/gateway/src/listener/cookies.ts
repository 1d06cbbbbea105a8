// Cookies: those that Usher sets, and how they are told from the service's. A service never sees Usher's, and cannot
// set them; browsers send what a neighbouring site has set as well, so a name may come more than once.

/** All of Usher's begin with it, after the prefix by which browsers keep a cookie to one host and to https. */
const OWN = "usher-";
const HOST_ONLY = "__Host-";

/** A nameless cookie is sent as its value alone: `=usher-visitor=x` would come back as a cookie of that name. Quotes
 * around a name are part of it to browsers, and nothing to some servers. */
const IS_OWN = /^[\s="]*(?:__Host-)?usher-/i;

/** The full name of a cookie of Usher's. Where clients come by https, no neighbouring site can set it for them. */
export function ownCookie(name: string, secure: boolean): string {
  return `${secure ? HOST_ONLY : ""}${OWN}${name}`;
}

/** The value under a name; absent where there is none, and where there are several that differ, since somebody else may
 * have set one of them. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const values = new Set(
    pairsOf(header)
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1)),
  );
  const [value] = values;
  return values.size === 1 ? value : undefined;
}

/** Whether a name came with values that differ. */
export function isDisputed(header: string | undefined, name: string): boolean {
  return new Set(pairsOf(header).filter((pair) => pair.startsWith(`${name}=`))).size > 1;
}

/** A `Cookie` header without Usher's own: as it came, where none is there; empty where nothing is left. */
export function withoutOwn(header: string): string {
  const pairs = pairsOf(header);
  const left = pairs.filter((pair) => !IS_OWN.test(pair));
  return left.length === pairs.length ? header : left.join("; ");
}

/** Whether a `Cookie` header has one of Usher's. */
export function hasOwn(header: string | undefined): boolean {
  return pairsOf(header).some((pair) => IS_OWN.test(pair));
}

/** Whether a `Set-Cookie` line sets one of Usher's. */
export function setsOwn(line: string): boolean {
  return IS_OWN.test(line);
}

/** A `Set-Cookie` line: for the whole site, never for its scripts, and not for requests that other sites begin, except
 * that somebody follows a link. `maxAge_s`: how long it is kept; absent: as long as the browser is open. */
export function setCookie(
  name: string,
  value: string,
  { secure, maxAge_s }: { secure: boolean; maxAge_s?: number },
): string {
  const age = maxAge_s === undefined ? "" : `; Max-Age=${maxAge_s}`;
  return `${name}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

function pairsOf(header: string | undefined): string[] {
  return (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "");
}
