// The thread that owns the database. Every flush to the disk blocks it, and nothing else.

import { parentPort, workerData } from "node:worker_threads";
import { openDatabase } from "./database.ts";
import { faultOf } from "./errors.ts";
import type { Answers, Reply, Request, Requests, Settings } from "./messages.ts";
import { Store } from "./store.ts";

if (!parentPort) throw new Error("worker.ts runs in a worker thread");
const port = parentPort;
const settings: Settings = workerData;

function reply(message: Reply, moved?: Uint8Array<ArrayBuffer>): void {
  port.postMessage(message, moved ? [moved.buffer] : []);
}

function serve(store: Store, request: Request): void {
  const { id } = request;
  switch (request.kind) {
    case "write":
      reply({ id, answer: write(store, request) });
      break;
    case "expire":
      reply({ id, answer: { more: store.expire(request.before_ms) } });
      break;
    case "read": {
      const batch = store.read(request.from);
      reply({ id, answer: { batch } }, batch);
      break;
    }
    case "payload": {
      const bytes = store.payload(request.key);
      reply({ id, answer: { bytes } }, bytes);
      break;
    }
    case "close":
      end(store);
  }
}

/** On a full disk, what a batch drops may still be written, and makes room. */
function write(store: Store, { batch, now_ms }: Requests["write"]): Answers["write"] {
  try {
    return { first: store.write(batch, now_ms) };
  } catch (error) {
    const full = faultOf(error, settings.file);
    if (full.code !== "disk_full" || !store.writeDrops(batch)) throw error;
    return { first: store.end, full };
  }
}

/** Lets go of the lock too, so that the log can be opened anew. */
function end(store: Store): void {
  port.removeAllListeners("message");
  port.close();
  store.close();
}

function open(): void {
  try {
    const store = new Store(openDatabase(settings));
    port.on("message", (request: Request) => {
      try {
        serve(store, request);
      } catch (error) {
        const fault = faultOf(error, settings.file);
        reply({ id: request.id, fault });
        if (fault.fatal) end(store);
      }
    });
    reply({ opened: true, end: store.end });
  } catch (error) {
    reply({ fault: faultOf(error, settings.file) });
  }
}

open();
