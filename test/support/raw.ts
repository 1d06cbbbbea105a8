// HTTP/1.1 by hand, for what no client would send, or would not send in that way.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export class Raw {
  readonly socket: Socket;
  /** One char a byte. */
  #seen = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#seen += text;
    });
    // A reset is one of the ways in which servers end connections.
    socket.on("error", () => undefined);
  }

  /** `to`: `http://<host>:<port>`, or a port of `host`. */
  static async open(to: string | number, host = "127.0.0.1"): Promise<Raw> {
    const url = typeof to === "number" ? undefined : new URL(to);
    const socket = connect({ host: url?.hostname ?? host, port: Number(url?.port ?? to) });
    await once(socket, "connect");
    return new Raw(socket);
  }

  /** `bytes`: one char each. */
  send(bytes: string): this {
    this.socket.write(bytes, "latin1");
    return this;
  }

  /** Everything that came so far and was not taken by `answer`, one char a byte. */
  get seen(): string {
    return this.#seen;
  }

  /** Waits until what came matches, and tells it. Throws when the connection ends before. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#seen)) {
      if (this.socket.closed) throw new Error(`closed before ${pattern} came, after: ${this.#seen}`);
      await this.#news();
    }
    return this.#seen;
  }

  /** Waits for a whole answer, and takes it. Throws when the connection ends before. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const parsed = parse(Buffer.from(this.#seen, "latin1"), this.socket.closed);
      if (parsed !== undefined) {
        this.#seen = this.#seen.slice(parsed.bytes);
        return parsed.answer;
      }
      if (this.socket.closed) throw new Error(`closed without a whole answer, after: ${this.seen}`);
      await this.#news();
    }
  }

  /** Waits until the other side has closed the connection, and tells what came and was not taken. */
  async closed(): Promise<string> {
    while (!this.socket.closed) await this.#news();
    return this.seen;
  }

  close(): void {
    this.socket.destroy();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      const told = (): void => {
        this.socket.off("data", told).off("close", told);
        resolve();
      };
      this.socket.on("data", told).on("close", told);
    });
  }
}

/** Sends bytes on a connection of their own, waits for the answer, and leaves. */
export async function exchange(url: string, bytes: string): Promise<RawAnswer> {
  const raw = (await Raw.open(url)).send(bytes);
  try {
    return await raw.answer();
  } finally {
    raw.close();
  }
}

/** The first answer in these bytes, and how many of them it takes; undefined while it is not whole. Of a body whose end
 * nothing but the connection tells, it is whole when that has `ended`. */
function parse(bytes: Buffer, ended: boolean): { answer: RawAnswer; bytes: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
  const from = end + 4;
  const length = headers.get("content-length");
  const chunked = headers.get("transfer-encoding") === "chunked";
  const body = chunked ? dechunked(bytes, from) : plain(bytes, from, length, ended);
  if (body === undefined) return undefined;
  return { answer: { status, headers, body: body.text }, bytes: body.to };
}

function plain(bytes: Buffer, from: number, length: string | null, ended: boolean) {
  if (length === null && !ended) return undefined;
  const to = length === null ? bytes.length : from + Number(length);
  return to > bytes.length ? undefined : { text: bytes.toString("utf8", from, to), to };
}

function dechunked(bytes: Buffer, from: number) {
  const chunks: Buffer[] = [];
  for (let at = from; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    const to = line + 2 + size + 2;
    if (to > bytes.length) return undefined;
    if (size === 0) return { text: Buffer.concat(chunks).toString(), to };
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = to;
  }
}
