// When a node has nothing left to do: everybody has been let in, and every stored request has ended.

import { QueueKind } from "@usher/protocol/queue";
import type { Door } from "./doors.ts";
import type { AdminClient } from "./rpc.ts";

/** What is left to do, in words; nothing, if all is done. A node that does not answer has something left. */
export async function leftToDo(door: Door, admin: AdminClient): Promise<string | undefined> {
  try {
    const { queues } = await admin.listQueues({}, { timeoutMs: 2_000 });
    const left = queues.flatMap(({ name, settings, queue, active }) => {
      const waiting = queue?.waiting ?? 0;
      const unanswered = settings?.kind === QueueKind.DEFER ? active : 0;
      return waiting + unanswered === 0 ? [] : [`${name}: ${waiting} wait, ${unanswered} are unanswered`];
    });
    return left.length === 0 ? undefined : `${door.name}: ${left.join("; ")}`;
  } catch (error) {
    return `${door.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
