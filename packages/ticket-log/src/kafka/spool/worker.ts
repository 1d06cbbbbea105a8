// The thread that owns the spool's database.

import { workerData } from "node:worker_threads";
import { openDatabase } from "../../sqlite/database.ts";
import { type Service, serve } from "../../sqlite/serving.ts";
import type { SpoolOpened, SpoolRequests, SpoolSettings } from "./messages.ts";
import { SCHEMA, SpoolStore } from "./store.ts";

const settings: SpoolSettings = workerData;

function open(): Service<SpoolRequests, SpoolOpened> {
  // What a power loss takes is followed again.
  const store = new SpoolStore(openDatabase({ file: settings.file }, SCHEMA, "NORMAL"), settings.bytes_max);
  return {
    opened: store.opened,
    handlers: {
      take(request) {
        store.take(request);
        return { answer: {} };
      },
      payload({ key }) {
        const bytes = store.payload(key);
        return { answer: { bytes }, moved: bytes };
      },
      drop({ keys }) {
        store.drop(keys);
        return { answer: {} };
      },
      expire: ({ before_ms }) => ({ answer: { more: store.expire(before_ms) } }),
      identify({ first }) {
        store.identify(first);
        return { answer: {} };
      },
    },
    close: () => store.close(),
  };
}

serve(settings.file, open, "the spool is damaged. Remove its directory: what is in Kafka is followed again");
