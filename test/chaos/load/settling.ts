// When a node has nothing left to do: everybody has been let in, and every stored request has ended.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { QueueKind } from "@usher/protocol/queue";
import type { Door, Doors } from "./doors.ts";

/** What is left to do, in words; nothing, if all is done. A node that does not answer has something left. */
export async function leftToDo(door: Door, { apiKey }: Doors): Promise<string | undefined> {
  const transport = createConnectTransport({ baseUrl: door.gatewayUrl, httpVersion: "1.1" });
  const admin = createClient(AdminService, transport);
  try {
    const options = { headers: { "usher-api-key": apiKey }, timeoutMs: 2_000 };
    const { queues } = await admin.listQueues({}, options);
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
