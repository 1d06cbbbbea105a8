// A real Kafka on this machine, for tests, demos, benches and fault runs. `start.ts` makes a cluster, of the parts in
// `settings.ts`, `security.ts` and `format.ts`; `cluster.ts` and `broker.ts` are what one has then, and `proxy.ts` is
// what may stand before a broker. `probe.ts` tells whether a broker serves. `guardian.ts` ends it all, whatever happens
// to this process. `libraries.ts` brings Kafka itself, `java.ts` runs it, `tool.ts` runs its tools.

export type { Broker } from "./broker.ts";
export type { KafkaCluster } from "./cluster.ts";
export { LocalKafkaError } from "./errors.ts";
export { START_WAIT_MS } from "./libraries.ts";
export type { RequestKind, Way } from "./link.ts";
export { TcpProxy } from "./proxy.ts";
export type { Listener } from "./security.ts";
export { type KafkaOptions, startKafka } from "./start.ts";
export { runTool, type ToolOptions, type ToolResult } from "./tool.ts";
