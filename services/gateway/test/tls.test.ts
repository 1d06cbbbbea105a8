// TLS on the gateway's port: who is spoken to, in which protocol, and with which certificate.

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect as connect2 } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { certificate, renewed } from "../../../test/support/certificate.ts";
import { clientOf } from "../src/listener/client.ts";
import type { Handler } from "../src/listener/exchange.ts";
import type { ListenerLimits } from "../src/listener/limits.ts";
import { CertificateError, listen, type TlsFiles } from "../src/listener/listener.ts";
import { type Edge, openEdge } from "./support/edge.ts";
import { exchange, problemOf, Raw, statusOf } from "./support/raw.ts";
import { openAnswering, openForwarding, until } from "./support/service.ts";

/** Files that hold a certificate and its key. */
async function openFiles(pair: TlsFiles = certificate): Promise<TlsFiles> {
  const directory = await mkdtemp(join(tmpdir(), "usher-tls-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
  await replace(files, pair);
  return files;
}

/** As careful programs do: nobody reads half a file. */
async function replace(files: TlsFiles, pair: Partial<TlsFiles>): Promise<void> {
  for (const name of ["cert", "key"] as const) {
    const text = pair[name];
    if (text === undefined) continue;
    await writeFile(`${files[name]}.new`, text);
    await rename(`${files[name]}.new`, files[name]);
  }
}

const whoAsks: Handler = (req, res) => {
  const { scheme, address } = clientOf(req);
  res.end(`${req.httpVersion} ${scheme} ${address}`);
};

async function openTls(
  handler: Handler = whoAsks,
  limits: Partial<ListenerLimits> = {},
): Promise<Edge & { readonly files: TlsFiles }> {
  const files = await openFiles();
  return Object.assign(await openEdge(handler, limits, { tls: files }), { files });
}

/** A handshake; the certificate is looked at, not believed. */
async function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return socket;
}

/** To be asked once: Node tells it no second time. */
const fingerprint = (socket: TLSSocket) => socket.getPeerX509Certificate()?.fingerprint256;
const fingerprintOf = ({ cert }: TlsFiles) => new X509Certificate(cert).fingerprint256;

test("HTTP/1.1 and HTTP/2 are spoken, as the client chooses, and both know that it is HTTPS", async () => {
  const edge = await openTls();
  expect(edge.url).toBe(`https://localhost:${edge.port}`);
  const req = request({
    port: edge.port,
    host: "127.0.0.1",
    ca: certificate.cert,
    servername: "localhost",
  }).end();
  const [res] = await once(req, "response");
  expect(String(Buffer.concat(await res.toArray()))).toBe("1.1 https 127.0.0.1");
  const session = connect2(`https://localhost:${edge.port}`, { ca: certificate.cert });
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/" }).setEncoding("utf8");
  expect((await stream.toArray()).join("")).toBe("2.0 https 127.0.0.1");
  expect(session.alpnProtocol).toBe("h2");
});

test("a client that offers no protocol is spoken to in whichever it begins", async () => {
  const edge = await openTls();
  const socket = await shake(edge.port);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(String(Buffer.concat(await socket.toArray()))).toMatch(/^HTTP\/1\.1 200 OK\r\n.*1\.1 https 127/s);
});

test("the connection goes on from request to request, byte by byte too", async () => {
  const edge = await openTls((req, res) => void res.end(`${req.url}`));
  const socket = await shake(edge.port);
  let seen = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    seen += text;
  });
  for (const byte of "GET /one HTTP/1.1\r\nHost: a\r\n\r\n") socket.write(byte);
  await until(() => seen.endsWith("/one\r\n0\r\n\r\n") || seen.endsWith("/one"));
  socket.write("GET /two HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => seen.endsWith("/two"));
});

test("TLS older than 1.2 is refused", async () => {
  const edge = await openTls();
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  await expect(shake(edge.port, old)).rejects.toThrow();
  expect((await shake(edge.port, { maxVersion: "TLSv1.2" })).getProtocol()).toBe("TLSv1.2");
  expect((await shake(edge.port)).getProtocol()).toBe("TLSv1.3");
});

test.each([
  ["HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["something else", "SSH-2.0-x\r\n"],
])("%s without TLS is told so, and closed", async (_, bytes) => {
  const edge = await openTls();
  const raw = (await Raw.open(edge.port)).send(bytes);
  raw.socket.end();
  const answer = await raw.closed();
  expect(statusOf(answer)).toBe(400);
  expect(problemOf(answer)).toMatchObject({ type: "urn:usher:problem:tls_required" });
  expect(edge.faults).toEqual([]);
});

test("a port without TLS answers a handshake in words, and goes on", async () => {
  const edge = await openEdge(whoAsks);
  await expect(shake(edge.port)).rejects.toThrow();
  expect(statusOf(await exchange(edge.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))).toBe(
    200,
  );
});

test("a handshake that does not end, one that breaks off, and garbage after it cost that connection alone", async () => {
  const edge = await openTls(whoAsks, { handshake_ms: 50 });
  const hello = "\x16\x03\x01\x00\x40\x01\x00\x00\x3c";
  await (await Raw.open(edge.port)).send(hello).closed();
  const broken = (await Raw.open(edge.port)).send(hello);
  broken.socket.resetAndDestroy();
  await (await Raw.open(edge.port)).send(`\x16\x03\x01\x00\x05${"\xff".repeat(64)}`).closed();
  const socket = await shake(edge.port);
  socket.end("\0\xff nonsense\r\n\r\n");
  expect(String(Buffer.concat(await socket.toArray()))).toMatch(/^HTTP\/1\.1 400 /);
  await until(() => edge.connections === 0);
  expect((await shake(edge.port)).authorized).toBe(false);
  expect(edge.faults).toEqual([]);
});

test("a new certificate is used from its next handshake on, and connections that are there go on", async () => {
  const edge = await openTls(whoAsks, { certificate_ms: 5 });
  const before = await shake(edge.port);
  expect(fingerprint(before)).toBe(fingerprintOf(certificate));
  await replace(edge.files, renewed);
  let after = fingerprint(await shake(edge.port));
  while (after === fingerprintOf(certificate)) after = fingerprint(await shake(edge.port));
  expect(after).toBe(fingerprintOf(renewed));
  before.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(String(Buffer.concat(await before.toArray()))).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  [
    "a certificate that is none",
    { cert: "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----" },
  ],
  ["an empty key", { key: "" }],
  ["another certificate's key", { key: renewed.key }],
])("in place of %s the old one stays, and it is said once", async (_, pair) => {
  const edge = await openTls(whoAsks, { certificate_ms: 5 });
  await replace(edge.files, pair);
  await until(() => edge.faults.length > 0);
  const [fault] = edge.faults;
  expect(fault).toBeInstanceOf(CertificateError);
  expect(String(fault)).toContain("the certificate stays what it was");
  expect(String(fault)).toContain(edge.files.cert);
  expect(fingerprint(await shake(edge.port))).toBe(fingerprintOf(certificate));
  // And is replaced by the next that is right.
  await replace(edge.files, renewed);
  while (fingerprint(await shake(edge.port)) !== fingerprintOf(renewed));
});

test("files that cannot be used at the start are named, and no port is taken", async () => {
  const files = await openFiles({ ...certificate, key: renewed.key });
  const opening = listen({ port: 0, tls: files, handler: whoAsks, onFault: () => undefined });
  await expect(opening).rejects.toThrow(CertificateError);
  await expect(opening).rejects.toThrow(files.key);
});

test("an answer that breaks off midway does not look whole", async () => {
  const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", (socket) =>
    socket.destroy(),
  );
  const edge = await openForwarding(service.port, { listen: { tls: await openFiles() } });
  const req = request({ port: edge.port, host: "127.0.0.1", rejectUnauthorized: false }).end();
  const [res] = await once(req, "response");
  await expect(res.toArray()).rejects.toThrow("aborted");
});

test("closing lets what is in flight end, and ends those who have not said a word", async () => {
  let answer = (): void => undefined;
  const edge = await openTls((_req, res) => {
    answer = () => void res.end("fine");
  });
  const [silent, busy] = [await shake(edge.port), await shake(edge.port)];
  silent.resume();
  busy.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => edge.requests === 1);
  const closed = edge.close({ grace_ms: 10_000 });
  await once(silent, "close");
  answer();
  expect(String(Buffer.concat(await busy.toArray()))).toMatch(/connection: close.*fine/is);
  expect(await closed).toEqual({ cut: 0 });
});
