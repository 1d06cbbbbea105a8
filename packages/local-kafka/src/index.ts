// A real Kafka on this machine, for tests, demos, benches and fault runs. `cluster.ts` starts it and is where to begin;
// `broker.ts` is one broker, `settings.ts` how it is configured, `format.ts` its data directory, `probe.ts` how it is
// known to serve; `guardian.ts` ends it all, whatever happens to this process; `libraries.ts` brings Kafka itself.

export { Broker } from "./broker.ts";
export { KafkaCluster, type KafkaOptions, startKafka } from "./cluster.ts";
export { LocalKafkaError } from "./errors.ts";
