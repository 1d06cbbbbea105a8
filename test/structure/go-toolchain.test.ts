// How a machine without Go comes to one: test/support/go-toolchain.ts, with module proxies of its own.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fetchToolchain } from "../support/go-toolchain.ts";

/** A small one. Its sum is what `sha256sum` makes of it: of all files by name, and of that list. */
const TOOLCHAIN = {
  version: "go1.2.3.here",
  sum: "h1:p4wdhX7pSmMYUSLvEsBGbLxy7ab9GXsUJM+Bgflcf6A=",
};
const MODULE = "golang.org/toolchain@v0.0.1-go1.2.3.here";
const PATH = "/golang.org/toolchain/@v/v0.0.1-go1.2.3.here.zip";
const FILES = {
  "src/_go.mod": "module std\n",
  "bin/go": '#!/bin/sh\necho "Go, with $1"\n',
  LICENSE: "BSD\n",
};

let folder: string;
let proxies: AsyncDisposableStack;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-toolchain-"));
  proxies = new AsyncDisposableStack();
});

afterEach(async () => {
  await proxies.disposeAsync();
  await rm(folder, { recursive: true });
});

interface Proxy {
  readonly url: string;
  /** What it was asked for, with which credentials. */
  readonly asked: [path: string | undefined, credentials: string | undefined][];
}

/** A proxy that answers so. */
async function proxyOf(status: number, body: Buffer = Buffer.alloc(0)): Promise<Proxy> {
  const asked: Proxy["asked"] = [];
  const server = createServer((req, res) => {
    asked.push([req.url, req.headers.authorization]);
    res.writeHead(status).end(body);
  });
  proxies.use(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** A zip file, every other file of which is packed. */
function zipOf(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const list: Buffer[] = [];
  for (const [index, [path, text]] of Object.entries(files).entries()) {
    const name = Buffer.from(`${MODULE}/${path}`);
    const packed = index % 2 === 0 ? Buffer.from(text) : deflateRawSync(text);
    const head = Buffer.alloc(46);
    head.writeUInt32LE(0x02014b50);
    head.writeUInt16LE(index % 2 === 0 ? 0 : 8, 10);
    head.writeUInt32LE(packed.length, 20);
    head.writeUInt32LE(text.length, 24);
    head.writeUInt16LE(name.length, 28);
    head.writeUInt32LE(Buffer.concat(parts).length, 42);
    list.push(head, name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    parts.push(local, name, packed);
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(Buffer.concat(parts).length, 16);
  return Buffer.concat([...parts, ...list, end]);
}

async function written(): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

describe("Go from a module proxy", () => {
  test("is there whole, and runs", async () => {
    const proxy = await proxyOf(200, zipOf(FILES));
    await fetchToolchain(TOOLCHAIN, folder, `${proxy.url}/`);
    expect(proxy.asked).toEqual([[PATH, undefined]]);
    expect(await written()).toEqual(["LICENSE", "bin", "bin/go", "src", "src/go.mod"]);
    expect(await readFile(join(folder, "LICENSE"), "utf8")).toBe("BSD\n");
    const { stdout } = await promisify(execFile)(join(folder, "bin/go"), ["love"]);
    expect(stdout).toBe("Go, with love\n");
  });

  test("is asked for with the credentials of the proxy's address", async () => {
    const proxy = await proxyOf(200, zipOf(FILES));
    await fetchToolchain(TOOLCHAIN, folder, proxy.url.replace("//", "//ann:a%40b@"));
    expect(proxy.asked).toEqual([[PATH, `Basic ${Buffer.from("ann:a@b").toString("base64")}`]]);
  });

  test.each([
    ["another file", { ...FILES, LICENSE: "MIT\n" }],
    ["a file more", { ...FILES, "../elsewhere": "" }],
    ["another name", { "bin/go": FILES["bin/go"], "src/_go.mod": FILES["src/_go.mod"], LICENCE: "BSD\n" }],
  ])("is not taken, with %s than its checksum says", async (_, files) => {
    const proxy = await proxyOf(200, zipOf(files));
    await expect(fetchToolchain(TOOLCHAIN, folder, proxy.url)).rejects.toThrow("is not what its checksum");
    expect(await written()).toEqual([]);
  });

  test("is not taken where it is cut off", async () => {
    const proxy = await proxyOf(200, zipOf(FILES).subarray(0, -30));
    await expect(fetchToolchain(TOOLCHAIN, folder, proxy.url)).rejects.toThrow("it is no zip file");
    expect(await written()).toEqual([]);
  });
});

describe("of several proxies", () => {
  test.each<[string, number, "," | "|"]>([
    ["a comma and without it", 404, ","],
    ["a comma and without it any more", 410, ","],
    ["a bar and in trouble", 500, "|"],
  ])("the next is asked after one before %s", async (_, status, separator) => {
    const [one, other] = [await proxyOf(status), await proxyOf(200, zipOf(FILES))];
    await fetchToolchain(TOOLCHAIN, folder, `${one.url}${separator}${other.url}`);
    expect([one.asked, other.asked]).toEqual([[[PATH, undefined]], [[PATH, undefined]]]);
  });

  test("none is asked after one before a comma that refuses", async () => {
    const [one, other] = [await proxyOf(403), await proxyOf(200, zipOf(FILES))];
    const why = `${new URL(one.url).host}: 403`;
    await expect(fetchToolchain(TOOLCHAIN, folder, `${one.url},${other.url}`)).rejects.toThrow(why);
    expect(other.asked).toEqual([]);
  });

  test.each(["off", "direct", "file:///modules"])("%s is none that could be asked", async (proxy) => {
    await expect(fetchToolchain(TOOLCHAIN, folder, proxy)).rejects.toThrow("GOPROXY names no proxy");
  });

  test("one that is not there is told by its host, without its credentials", async () => {
    const gone = await proxyOf(200);
    await proxies.disposeAsync();
    const url = gone.url.replace("//", "//ann:secret@");
    const told = await fetchToolchain(TOOLCHAIN, folder, url).catch(String);
    expect(told).toContain(`${new URL(url).host}: `);
    expect(told).not.toContain("secret");
  });
});
