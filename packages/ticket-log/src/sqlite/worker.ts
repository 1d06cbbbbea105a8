// The thread that owns the database. Every flush to the disk blocks it, and nothing else.

import { workerData } from "node:worker_threads";
import { openDatabase } from "./database.ts";
import { faultOf } from "./errors.ts";
import type { LogRequests, Opened, Settings } from "./messages.ts";
import { SCHEMA } from "./schema.ts";
import { type Service, serve } from "./serving.ts";
import { Store } from "./store.ts";

const settings: Settings = workerData;

function open(): Service<LogRequests, Opened> {
  const store = new Store(openDatabase(settings, SCHEMA));
  return {
    opened: { end: store.end },
    handlers: {
      write: (request) => ({ answer: write(store, request) }),
      expire: ({ before_ms }) => ({ answer: { more: store.expire(before_ms) } }),
      read({ from }) {
        const batch = store.read(from);
        return { answer: { batch }, moved: batch };
      },
      payload({ key }) {
        const bytes = store.payload(key);
        return { answer: { bytes }, moved: bytes };
      },
    },
    close: () => store.close(),
  };
}

/** On a full disk, what a batch drops may still be written, and makes room. */
function write(
  store: Store,
  { batch, now_ms }: LogRequests["write"]["request"],
): LogRequests["write"]["answer"] {
  try {
    return { first: store.write(batch, now_ms) };
  } catch (error) {
    const full = faultOf(error, settings.file);
    if (full.code !== "disk_full" || !store.writeDrops(batch)) throw error;
    return { first: store.end, full };
  }
}

serve(settings.file, open);
