// Mends kafkajs, of which two things are wrong with each connection:
//
// - Once it has had an answer it looks every millisecond, for ever, whether there is something that it held back. Ten
//   idle connections take three per cent of a core by that, and Node warns that its timers are negative. Looking is only
//   needed while something is held back.
// - What it cannot read it throws at nobody, which ends the process; and it waits for an answer of any size. A peer that
//   is no Kafka ends its connection alone.

import type { Socket } from "node:net";
import type { Cluster } from "kafkajs";
import { NoKafkaError } from "./errors.ts";

/** What one answer holds at most, in bytes; 128 MiB. A fetch brings half a MiB, or one batch of a stranger's that is
 * larger. What another protocol begins with is mostly far more, read as a size. */
const ANSWER_BYTES_MAX = 128 * 1024 * 1024;

/** kafkajs's src/network/requestQueue, as far as it is needed. */
interface RequestQueue {
  /** What waits for a broker's throttling to end. */
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

/** kafkajs's src/network/connection, as far as it is needed. */
interface Connection {
  readonly socket: Socket;
  /** The size of the answer that is being read, and of the field that says it. */
  readonly bytesNeeded: number;
  processData(data: Buffer): void;
}

let mended: Promise<void> | undefined;

/** For all of kafkajs in this process. Has to be done before anything is connected. */
export function mendKafkajs(cluster: Cluster): Promise<void> {
  mended ??= mend(cluster);
  return mended;
}

async function mend(cluster: Cluster): Promise<void> {
  const builder = partOf<{ build(broker: object): Promise<object> }>(cluster, "connectionPoolBuilder");
  const [connection] = partOf<readonly object[]>(await builder.build({ host: "unused", port: 1 }), "pool");
  mendConnections(Object.getPrototypeOf(connection));
  mendRequestQueues(Object.getPrototypeOf(partOf<RequestQueue>(connection ?? {}, "requestQueue")));
}

function mendConnections(prototype: Connection): void {
  const process = partOf<Connection["processData"]>(prototype, "processData");
  prototype.processData = function (this: Connection, data: Buffer) {
    try {
      process.call(this, data);
    } catch (cause) {
      this.socket.destroy(new NoKafkaError({ cause }));
      return;
    }
    if (this.bytesNeeded > ANSWER_BYTES_MAX) this.socket.destroy(new NoKafkaError());
  };
}

function mendRequestQueues(prototype: RequestQueue): void {
  const schedule = partOf<RequestQueue["scheduleCheckPendingRequests"]>(
    prototype,
    "scheduleCheckPendingRequests",
  );
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function partOf<T>(whole: object, name: string): T {
  const part: unknown = Reflect.get(whole, name);
  if (part === undefined) throw new Error(`kafkajs has no ${name} where version 2.2.4 has it`);
  return part as T;
}
