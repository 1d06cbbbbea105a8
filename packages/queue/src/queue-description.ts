// One queue, whole: see `description.ts`.

import type { Admission } from "./admission.ts";
import type { Part } from "./description.ts";
import type { Queue } from "./queue.ts";
import type { QueueState } from "./state.ts";

export function* describeQueue(queue: Queue, state: QueueState, admission: Admission): Iterable<Part> {
  const { settings, tickets } = state;
  yield {
    kind: "settings",
    id: "",
    fields: {
      revision: queue.revision,
      kind: settings.kind,
      mode: settings.mode,
      rate_thousandths: settings.rate_thousandths,
      max_active: settings.max_active,
      max_wait_ms: settings.max_wait_ms,
      max_waiting: settings.max_waiting,
      session_ms: settings.session_ms,
      key_retention_ms: settings.key_retention_ms,
      attempts: settings.attempts,
      notice: settings.notice,
    },
  };
  yield {
    kind: "state",
    id: "",
    fields: {
      now_ms: state.now_ms,
      waited_ms: state.waited_ms,
      lastNumber: queue.lastNumber,
      waiting: queue.waiting,
      front: tickets.front(),
      active: queue.active,
      activeByHand: queue.activeByHand,
      unsent: queue.unsent,
      remembered: queue.remembered,
      keys: tickets.keys,
      aliases: tickets.aliases,
      subjects: tickets.subjects,
      ...admission.fields,
    },
  };
  yield* admission.describe();
  yield* state.describe();
  for (const number of tickets.numbers()) {
    const view = queue.ticket(number)!;
    const names = tickets.names(number);
    yield {
      kind: "ticket",
      id: number,
      fields: {
        state: view.state,
        request: view.request,
        position: view.position,
        issued_ms: tickets.issued_ms(number),
        issuedWall_ms: view.issuedWall_ms,
        admittedWall_ms: view.admittedWall_ms,
        endedWall_ms: view.endedWall_ms,
        session: view.origin.session,
        sequence: view.origin.sequence,
        admission: view.admission,
        attempt: view.attempt,
        status: view.status,
        stored: tickets.hasRequest(number),
        key: names.key,
        digest: names.digest,
        keyFinds: names.keyFinds,
        subject: names.subject,
        subjectFinds: names.subjectFinds,
        aliases: names.aliases,
      },
    };
  }
}
