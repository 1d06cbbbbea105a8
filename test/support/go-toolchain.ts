// Go itself, for machines that have none, or an old one: the module golang.org/toolchain, from the module proxy that the
// environment names, as Go takes it when it brings itself up to date (go.dev/doc/toolchain). One version, whose checksums
// stand here.

import { hash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { setGlobalProxyFromEnv } from "node:http";
import { dirname, join } from "node:path";
import { type ZipEntry, zipEntries } from "./zip.ts";

export interface Toolchain {
  /** Such as `go1.2.3.linux-amd64`. */
  readonly version: string;
  /** Of its module, as go.sum has it. */
  readonly sum: string;
}

const VERSION = "go1.26.8";

/** By system and processor, as Go calls them; each as sum.golang.org has it. */
const SUMS: Readonly<Record<string, string>> = {
  "linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
  "linux-arm64": "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=",
  "darwin-amd64": "h1:7/9KPPN8PckcA9s91hm2jmQMhzW4KyTJXHIs45L0C9M=",
  "darwin-arm64": "h1:dFjGhY6f8DTsY8/rLchUTDRRfjJP4pCrGCwxvHFT2Fg=",
};

/** The proxy that is asked where GOPROXY is not set; it is Go's own default. */
const PUBLIC_PROXY = "proxy.golang.org";

/** How long the download may take, in milliseconds; three minutes, for 72 MB. */
const DOWNLOAD_MS = 180_000;

/** What is run, and is to be executable. */
const PROGRAMS = /^(bin|pkg\/tool)\//;

/** The one for this machine; absent where there is none. */
export function toolchainHere(): Toolchain | undefined {
  const platform = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
  const sum = SUMS[platform];
  return sum === undefined ? undefined : { version: `${VERSION}.${platform}`, sum };
}

/** Fills the folder with Go, whose program is `bin/go` there. `proxies`: what GOPROXY says. Rejects with why it cannot be
 * had; then nothing is written. */
export async function fetchToolchain(
  { version, sum }: Toolchain,
  folder: string,
  proxies = process.env.GOPROXY,
): Promise<void> {
  const entries = zipEntries(await download(`golang.org/toolchain/@v/v0.0.1-${version}.zip`, proxies));
  if (sumOf(entries) !== sum) throw new Error(`what came for ${version} is not what its checksum says`);
  const made = new Set<string>();
  for (const entry of entries) {
    // Behind the module's name and version. Where a module begins within this one, Go hides that.
    const name = entry.name.replace(/^[^@]+@[^/]+\//, "").replace(/(^|\/)_go\.mod$/, "$1go.mod");
    const path = join(folder, name);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    await writeFile(path, entry.bytes(), { mode: PROGRAMS.test(name) ? 0o755 : 0o644 });
  }
}

/** As Go sums up a module (golang.org/x/mod/sumdb/dirhash, Hash1). */
function sumOf(entries: readonly ZipEntry[]): string {
  const lines = [...entries]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => `${hash("sha256", entry.bytes(), "hex")}  ${entry.name}\n`);
  return `h1:${hash("sha256", lines.join(""), "base64")}`;
}

/** Asks one proxy after the other, as Go does: behind a comma, only where the one before does not have it. */
async function download(path: string, proxies: string | undefined): Promise<Buffer> {
  const told: string[] = [];
  for (const [, proxy = "", separator] of (proxies || `https://${PUBLIC_PROXY}`).matchAll(
    /([^,|]+)([,|]?)/g,
  )) {
    const url = URL.parse(`${proxy.trim().replace(/\/$/, "")}/${path}`);
    // `direct` and `off`: from where a module is developed, and from nowhere; and files.
    if (url === null || !/^https?:$/.test(url.protocol)) continue;
    const answer = await ask(url);
    if ("zip" in answer) return answer.zip;
    told.push(`${url.host}: ${answer.why}`);
    if (separator === "," && !answer.absent) break;
  }
  throw new Error(told.join(", ") || "GOPROXY names no proxy that could be asked");
}

type Answer = { readonly zip: Buffer } | { readonly why: string; readonly absent: boolean };

async function ask(url: URL): Promise<Answer> {
  const headers = new Headers();
  const { username, password } = url;
  if (username !== "") {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
    url.username = url.password = "";
  }
  const restore = setGlobalProxyFromEnv();
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(DOWNLOAD_MS) });
    if (answer.ok) return { zip: Buffer.from(await answer.arrayBuffer()) };
    await answer.body?.cancel();
    return { why: `${answer.status}`, absent: answer.status === 404 || answer.status === 410 };
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    return { why: cause instanceof Error ? cause.message : message, absent: false };
  } finally {
    restore();
  }
}
