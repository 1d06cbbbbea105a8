// The program `usher`, and the only place where everything comes together.
//
//   main.ts        the program; cli/ its commands: a folder each
//   config/        usher.yaml, or flags, to a checked `Config`
//   serve.ts       starts a node, and stops it
//   listeners.ts   its ports: the gateway, native gRPC, and metrics.ts
//   log-source.ts  where its log comes from; node-keys.ts: how it comes by its keys
//   opening.ts     from the log to a replica, as often as it takes (patience.ts)
//   neighbours.ts  who else writes in the log
//   observer.ts    watches the replica at work, for metrics and traces
//   reconcile.ts   the queues of the configuration against those of the log (settings-text.ts: in words)
//   failure.ts     how the program ends when it cannot go on

export type { Config, KafkaLog, Listen, LogPlace, QueueConfig, Route, Service } from "./config/config.ts";
export { loadConfig, type Overrides, parseConfig } from "./config/load.ts";
export { ConfigError, type Problem } from "./config/mistake.ts";
export { type LogSource, logSource } from "./log-source.ts";
export { type LiveQueue, type Node, type ServeOptions, serve } from "./serve.ts";
