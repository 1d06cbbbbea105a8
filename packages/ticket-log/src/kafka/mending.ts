// Mends kafkajs: each of its connections that has had an answer looks every millisecond, for ever, whether there is
// something that it held back. Ten idle connections take three per cent of a core by that, and Node warns that its
// timers are negative. Looking is only needed while something is held back.

import type { Cluster } from "kafkajs";

/** kafkajs's src/network/requestQueue, as far as it is needed. */
interface RequestQueue {
  /** What waits for a broker's throttling to end. */
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let mended: Promise<void> | undefined;

/** For all of kafkajs in this process. Has to be done before anything is connected. */
export function mendRequestQueues(cluster: Cluster): Promise<void> {
  mended ??= mend(cluster);
  return mended;
}

async function mend(cluster: Cluster): Promise<void> {
  const builder = partOf<{ build(broker: object): Promise<object> }>(cluster, "connectionPoolBuilder");
  const [connection] = partOf<readonly object[]>(await builder.build({ host: "unused", port: 1 }), "pool");
  const queue = partOf<RequestQueue>(connection ?? {}, "requestQueue");
  const prototype: RequestQueue = Object.getPrototypeOf(queue);
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function partOf<T>(whole: object, name: string): T {
  const part: unknown = Reflect.get(whole, name);
  if (part === undefined) throw new Error(`kafkajs has no ${name} where version 2.2.4 has it`);
  return part as T;
}
