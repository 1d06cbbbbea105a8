// The program `usher`, and the only place where everything comes together.
//
//   main.ts       the program; cli/ its commands: serve, watch, queue
//   serve.ts      starts a node: log, keys, replica, queues, listeners; stops it
//   reconcile.ts  the queues of the configuration against those of the log
//   config/       usher.yaml, or flags, to a checked `Config`
//   failure.ts    how the program ends when it cannot go on

export type { Config, Listen, LogPlace, QueueConfig, Route, Service } from "./config/config.ts";
export { loadConfig, type Overrides, parseConfig } from "./config/load.ts";
export { ConfigError, type Problem } from "./config/mistake.ts";
export { type Node, type ServeOptions, serve } from "./serve.ts";
