// A certificate for the brokers' TLS, signed by itself: it is its own authority, and clients that trust it trust them.
// By java's keytool, which is wherever java is.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LocalKafkaError } from "./errors.ts";
import type { Guardian } from "./guardian.ts";
import { findKeytool } from "./programs.ts";

/** keytool wants one of six characters; the store holds a key that is worth nothing. */
export const PASSWORD = "nobody";

export interface Certificate {
  /** The file that brokers read: the key and the certificate, as PKCS12. */
  readonly keystore: string;
  /** What clients are to trust, in PEM. */
  readonly pem: string;
}

export async function makeCertificate(guardian: Guardian): Promise<Certificate> {
  const keystore = join(guardian.directory, "tls.p12");
  const store = ["-alias", "kafka", "-keystore", keystore, "-storetype", "PKCS12", "-storepass", PASSWORD];
  await keytool(guardian, [
    "-genkeypair",
    ...store,
    ...["-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=local-kafka", "-validity", "30"],
    ...["-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc:critical=ca:true"],
  ]);
  return { keystore, pem: await keytool(guardian, ["-exportcert", "-rfc", ...store]) };
}

/** What it writes to standard output. */
async function keytool(guardian: Guardian, args: readonly string[]): Promise<string> {
  const [out, err] = [join(guardian.directory, "keytool.out"), join(guardian.directory, "keytool.err")];
  const ward = await guardian.run({ name: "keytool", command: findKeytool(), args, out, err });
  const { code } = await ward.ended;
  const said = await readFile(out, "utf8");
  if (code === 0) return said;
  throw new LocalKafkaError(`keytool could not make a certificate:\n${said}${await readFile(err, "utf8")}`);
}
