// Queues in memory, for the tests of programs that wait in line or let others in: the rules of the shipped server (its own
// reducer, `@usher/queue`) behind the same client, with a clock that the test moves. No port, no process, no real time.
//
//   queues.ts    what a test holds                    clock.ts       time, which passes when it is told to
//   rpc.ts       the calls of the contract, answered  timekeeper.ts  makes log time of it
//   node.ts      one node: tickets given and shown    log.ts         the records, folded by the reducer
//   streams.ts   who watches                          secrets.ts     tokens, hashes, passes
//   failures.ts  what fails because a test says so    checks.ts      the bounds of what callers may say
//   settings.ts  a queue's settings                   refusals.ts    what the reducer's refusals mean
//   gateway/     a service behind a gateway, as `fetch`
//
// What they answer is held together with the real server's by one suite, which runs on both: test/calls.test.ts.

export type { CallName, Failure } from "./testing/failures.ts";
export type { Service } from "./testing/gateway/requests.ts";
export { createTestQueues, type TestQueues, type TestQueuesOptions } from "./testing/queues.ts";
export type { PublicKeys } from "./testing/secrets.ts";
export type { TestQueueSettings } from "./testing/settings.ts";
