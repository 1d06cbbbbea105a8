// Why a server could not be reached: what happened, and what to do about it. Read from what Node and OpenSSL say, which
// tell neither; of a page's failed requests browsers say nothing but that they failed.

/** What their words mean; the first that fits counts. `{ports}`: which ones take the protocol; `{tls}`: that it may have
 * been the wrong scheme, where that may be so. */
const OBSTACLES: readonly (readonly [said: RegExp, meaning: string])[] = [
  [/ECONNREFUSED/, "nothing listens there. Is the node running, and is this its port? {ports}"],
  [/ENOTFOUND|EAI_AGAIN|Name resolution/, "nobody knows that host. Is it written right?"],
  [/wrong version number/, "it speaks no TLS. Does baseUrl have to begin with http:// there?"],
  [/no application protocol/, "it speaks TLS, but not HTTP/2. {ports}"],
  [/altname/, "its certificate is for another name. Is the host written as it is there?"],
  [
    /certificate|issuer/,
    "its certificate is not trusted. Name the one that vouches for it: to gRPC by the option ca, to fetch in NODE_EXTRA_CA_CERTS.",
  ],
  [/HTTP status code/, "a proxy answers in its place. Is the node behind it running?"],
  [/Protocol error|not match the HTTP/, "it speaks another protocol. {ports}{tls}"],
  [
    /Failed to fetch|NetworkError|Load failed/,
    "the browser does not say why. Is a gateway running there, and does it allow this page's origin (allowed_origins)?",
  ],
  [/Failed to connect|closed|disconnected|ECONNRESET|dropped/, "it hung up. Was it stopped? {ports}{tls}"],
];

/** Says that nobody was reached, and why. `said`: by Node. `ports`: which ones take this protocol. */
export function unreached(where: string, said: string, ports: string): string {
  const meaning = OBSTACLES.find(([saying]) => saying.test(said))?.[1];
  const told = `${where} could not be reached: `;
  if (meaning === undefined) return told + plain(said);
  const tls = where.startsWith("http:") ? " If it takes TLS alone, baseUrl begins with https://." : "";
  return `${told}${meaning.replace("{ports}", ports).replace("{tls}", tls)} (${plain(said)})`;
}

/** Says that a call's time was over, in milliseconds. */
export function unanswered(where: string, timeout: number): string {
  return `${where} did not answer within ${timeout} ms (the option timeout)`;
}

/** Without the places in Node's own sources, and the moment. */
function plain(said: string): string {
  return said
    .replace(/^No connection established\. Last error: (Error: )?/, "")
    .replace(/\s*\. Resolution note:.*$/s, "")
    .replace(/[\dA-F]+:error:[\dA-F]+:[^:]*:[^:]*:([^:]*):.*?\.c:\d+:(SSL alert number \d+)?\s*/s, "$1")
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, "")
    .trim();
}
