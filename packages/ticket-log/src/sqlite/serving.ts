// The worker's end: opens a store and answers requests, one after the other, in the order sent. `thread.ts` is the
// other end.

import { type MessagePort, parentPort } from "node:worker_threads";
import { type Fault, faultOf } from "./errors.ts";
import type { Requests } from "./thread.ts";

export type Reply<O> =
  | { readonly opened: O }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly fault: Fault }
  /** Opening failed. */
  | { readonly fault: Fault };

/** An answer, and the bytes in it that change hands. */
export interface Served<A> {
  readonly answer: A;
  readonly moved?: Uint8Array<ArrayBuffer> | undefined;
}

/** An open store. */
export interface Service<R extends Requests<R>, O> {
  readonly opened: O;
  readonly handlers: { readonly [K in keyof R]: (request: R[K]["request"]) => Served<R[K]["answer"]> };
  close(): void;
}

type Message = { readonly id: number; readonly kind: string };

/** `file` is what errors name, `repair` what they advise when it is damaged. */
export function serve<R extends Requests<R>, O>(
  file: string,
  open: () => Service<R, O>,
  repair?: string,
): void {
  if (!parentPort) throw new Error("this runs in a worker thread");
  const port = parentPort;
  try {
    const service = open();
    port.on("message", (message: Message) => {
      if (message.kind === "close") return end(port, service);
      try {
        answer(port, service, message);
      } catch (error) {
        const fault = faultOf(error, file, repair);
        port.postMessage({ id: message.id, fault });
        if (fault.fatal) end(port, service);
      }
    });
    port.postMessage({ opened: service.opened });
  } catch (error) {
    port.postMessage({ fault: faultOf(error, file, repair) });
  }
}

function answer<R extends Requests<R>, O>(port: MessagePort, service: Service<R, O>, message: Message): void {
  // Who sends it is `Thread.ask`, which holds it to the kinds and requests that there are.
  const served = service.handlers[message.kind as keyof R](message);
  port.postMessage({ id: message.id, answer: served.answer }, served.moved ? [served.moved.buffer] : []);
}

/** Lets go of the lock too, so that the store can be opened anew. */
function end(port: MessagePort, service: { close(): void }): void {
  port.removeAllListeners("message");
  port.close();
  service.close();
}
