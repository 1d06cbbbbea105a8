// The traffic monitor of one node, pure: no clock, no timers, no I/O; whoever calls passes the time.
//
//   limit.ts     what a queue may spend, and one node's share of it
//   bucket.ts    the rate: a token bucket in whole numbers
//   meter.ts     rate and room together: what this node has spent of a queue's limit
//   decision.ts  what becomes of a request: straight through, a ticket, or a refusal
//
// One meter a queue. A request that may go straight through and a claimed one that is to be sent both take from it.

export { BURST_ms } from "./bucket.ts";
export { type Decision, decide, type Facts, type Mode } from "./decision.ts";
export { type Limit, LimitError, MAX_ACTIVE, MAX_NODES, MAX_RATE_THOUSANDTHS } from "./limit.ts";
export { type Lack, Meter, type Permit } from "./meter.ts";
