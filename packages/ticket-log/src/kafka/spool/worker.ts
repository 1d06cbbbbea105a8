// The thread that owns the spool's database.

import { workerData } from "node:worker_threads";
import { openDatabase } from "../../sqlite/database.ts";
import { type Service, serve } from "../../sqlite/serving.ts";
import type { SpoolOpened, SpoolRequests, SpoolSettings } from "./messages.ts";
import { SCHEMA, SpoolStore } from "./store.ts";

const settings: SpoolSettings = workerData;

function open(): Service<SpoolRequests, SpoolOpened> {
  // What a power loss takes is followed again.
  const store = new SpoolStore(openDatabase({ file: settings.file }, SCHEMA, "NORMAL"), settings);
  return {
    opened: store.opened,
    handlers: {
      take(request) {
        store.take(request);
        return { answer: { full: store.full } };
      },
      payload({ key }) {
        const answer = store.payload(key);
        return { answer, moved: answer.bytes };
      },
      drop({ keys }) {
        store.drop(keys);
        return { answer: { full: store.full } };
      },
      expire({ before_ms }) {
        const more = store.expire(before_ms);
        return { answer: { more, full: store.full } };
      },
      forgetPlaces() {
        store.forgetPlaces();
        return { answer: {} };
      },
      identify({ first }) {
        store.identify(first);
        return { answer: {} };
      },
    },
    close: () => store.close(),
  };
}

serve(settings.file, open, "the spool is damaged. Remove its directory: what is in Kafka is followed again");
