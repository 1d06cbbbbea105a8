// TLS on the gateway's port: a certificate from two files, which is read again when they change, so that renewing it
// takes no restart.

import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type Server, type TLSSocket } from "node:tls";
import type { ListenerLimits } from "./limits.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate, and those that vouch for it after it. */
  readonly cert: string;
  /** Its private key, without a passphrase. */
  readonly key: string;
}

/** Why the port cannot speak TLS, or goes on with the certificate that it had; the message says what to do. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";

  constructor({ cert, key }: TlsFiles, before: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`${before}: ${cert} and ${key} cannot be used (${why}); put a certificate and its own key there`, {
      cause,
    });
  }
}

/** Older versions are broken, and no client of today needs them. */
const MIN_VERSION = "TLSv1.2";

/** HTTP/2 where the client can. */
const PROTOCOLS = ["h2", "http/1.1"];

export interface TlsEvents {
  /** Told of each connection whose handshake is done. */
  onSecure(socket: TLSSocket): void;
  /** Told of a new certificate that cannot be used. */
  onFault(error: Error): void;
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export class TlsPort {
  readonly #files: TlsFiles;
  readonly #server: Server;
  readonly #onFault: TlsEvents["onFault"];
  readonly #looking: NodeJS.Timeout;
  /** The files as they were last read, whether they could be used or not. */
  #seen: Pair;

  private constructor(files: TlsFiles, pair: Pair, limits: ListenerLimits, { onSecure, onFault }: TlsEvents) {
    this.#files = files;
    this.#seen = pair;
    this.#onFault = onFault;
    this.#server = createServer(
      { ...pair, minVersion: MIN_VERSION, ALPNProtocols: PROTOCOLS, handshakeTimeout: limits.handshake_ms },
      onSecure,
    );
    // The client's mistake, or a scanner's habit: it concerns nobody else.
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#looking = setInterval(() => void this.#look(), limits.certificate_ms).unref();
  }

  /** @throws CertificateError */
  static async open(files: TlsFiles, limits: ListenerLimits, events: TlsEvents): Promise<TlsPort> {
    try {
      return new TlsPort(files, await read(files), limits, events);
    } catch (error) {
      throw new CertificateError(files, "TLS cannot be spoken", error);
    }
  }

  /** Begins the handshake on a connection. */
  accept(socket: Socket): void {
    // An end of which TLS was told by nobody is the end of both sides.
    socket.allowHalfOpen = false;
    this.#server.emit("connection", socket);
  }

  close(): void {
    clearInterval(this.#looking);
  }

  /** Newcomers get the new certificate; who is connected keeps what was agreed on. */
  async #look(): Promise<void> {
    try {
      const pair = await read(this.#files);
      if (pair.cert.equals(this.#seen.cert) && pair.key.equals(this.#seen.key)) return;
      this.#seen = pair;
      const options = { ...pair, minVersion: MIN_VERSION } as const;
      createSecureContext(options);
      this.#server.setSecureContext(options);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // Files are being replaced, one after the other.
      if (code === "ENOENT") return;
      this.#onFault(new CertificateError(this.#files, "the certificate stays what it was", error));
    }
  }
}

async function read(files: TlsFiles): Promise<Pair> {
  const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
  return { cert, key };
}
