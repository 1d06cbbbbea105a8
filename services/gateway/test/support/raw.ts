// Bytes for the gateway, whatever they are, and what comes back.

import { Raw } from "../../../../test/support/raw.ts";

export { Raw };

/** Sends bytes on a connection of their own, and waits until the server has closed it. */
export async function exchange(port: number, bytes: string): Promise<string> {
  return (await Raw.open(port)).send(bytes).closed();
}

/** Sends bytes on a connection of their own, and leaves when the problem that answers them has come. */
export async function refusal(port: number, bytes: string): Promise<string> {
  const raw = (await Raw.open(port)).send(bytes);
  const answer = await raw.until(/\r\n\r\n\{.*\}\n/s);
  raw.socket.destroy();
  return answer;
}

/** The frames of an HTTP/2 client that posts to `/` on stream 1, sends "half", and then resets the stream. A client
 * of Node's would end the body in order first. */
export const http2Half = {
  begin:
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" +
    // HEADERS: POST http /, authority "a".
    "\0\0\x06\x01\x04\0\0\0\x01\x83\x86\x84\x41\x01a" +
    "\0\0\x04\0\0\0\0\0\x01half",
  reset: (code: number) => `\0\0\x04\x03\0\0\0\0\x01\0\0\0${String.fromCharCode(code)}`,
};

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}

/** The problem document of a raw answer. */
export function problemOf(answer: string): { type: string; status: number; detail: string } {
  if (!/\r\ncontent-type: application\/problem\+json\r\n/i.test(answer))
    throw new Error(`no problem: ${answer}`);
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}
