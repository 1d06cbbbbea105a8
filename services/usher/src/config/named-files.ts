// Readers of files that the configuration names: certificates, keys, passwords. What the file holds is the value.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { Mistake, shown } from "./mistake.ts";
import { filePath, type Reader } from "./readers.ts";

/** The largest such file that is read, in bytes; 1 MiB: a bundle of all public authorities has a quarter. */
const BYTES_MAX = 1024 * 1024;

/** The longest password, in characters: SCRAM's own limit is of that size. */
const PASSWORD_MAX = 1_024;

/** Certificates, one or a bundle. Paths count from `directory`. */
export function certificates(directory: string): Reader<string> {
  return (value) => {
    const { path, text } = read(value, directory);
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0 || !blocks.every(isCertificate))
      throw new Mistake(`${path} holds no certificate; give a PEM file (-----BEGIN CERTIFICATE-----)`);
    return text;
  };
}

/** A private key without a passphrase. */
export function privateKey(directory: string): Reader<string> {
  return (value) => {
    const { path, text } = read(value, directory);
    const wanted = "a PEM file (-----BEGIN PRIVATE KEY-----) without a passphrase";
    if (/ENCRYPTED/.test(text)) throw new Mistake(`${path} is locked with a passphrase; give ${wanted}`);
    try {
      createPrivateKey(text);
    } catch {
      throw new Mistake(`${path} holds no private key; give ${wanted}`);
    }
    return text;
  };
}

export interface NamedFile {
  /** Absolute. */
  readonly path: string;
  /** What a reader of the above took out of it. */
  readonly text: string;
}

/** A file that is read again later: with its place. */
export function withPlace(directory: string, reader: Reader<string>): Reader<NamedFile> {
  return (value) => ({ text: reader(value), path: resolve(directory, filePath(value)) });
}

/** A password: the file's one line. */
export function password(directory: string): Reader<string> {
  return (value) => {
    const { path, text } = read(value, directory);
    const line = text.replace(/\r?\n$/, "");
    if (line === "") throw new Mistake(`${path} is empty; put the password into it`);
    if (line.length > PASSWORD_MAX || /[\r\n\0]/.test(line))
      throw new Mistake(
        `${path} holds more than a password; put one line of at most ${PASSWORD_MAX} characters into it`,
      );
    return line;
  };
}

/** Whether the certificate is the key's own. Both have been read by the above. */
export function belongTogether(cert: string, key: string): boolean {
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).serialNumber !== "";
  } catch {
    return false;
  }
}

function read(value: unknown, directory: string): { path: string; text: string } {
  const path = shown(filePath(value));
  const file = resolve(directory, filePath(value));
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new Mistake(`${path} is a directory; name the file in it`);
    // A pipe could keep the program waiting for ever.
    if (!stat.isFile()) throw new Mistake(`${path} is no ordinary file; name one`);
    if (stat.size > BYTES_MAX) throw new Mistake(`${path} is larger than ${BYTES_MAX} bytes; name another`);
    return { path, text: readFileSync(file, "utf8") };
  } catch (error) {
    if (error instanceof Mistake) throw error;
    throw new Mistake(`${path} ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT" || code === "ENOTDIR") return "is not there; name a file that is";
  if (code === "EACCES" || code === "EPERM") return "may not be read; look at its permissions and its owner";
  return `cannot be read (${code || String(error)}); name a file that can`;
}
