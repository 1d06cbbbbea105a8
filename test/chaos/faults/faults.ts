// The faults, in the order in which they are run.
//
//   deaths.ts    brokers and nodes killed, or told to stop     network.ts    brokers that cannot be reached, lost answers
//   pauses.ts    brokers and nodes stopped and woken           foreign.ts    what others write into the log
//   topic.ts     the log's topic deleted and made again

import type { Fault } from "../scene/run.ts";
import { DEATHS } from "./deaths.ts";
import { FOREIGN } from "./foreign.ts";
import { NETWORK } from "./network.ts";
import { PAUSES } from "./pauses.ts";
import { TOPIC } from "./topic.ts";

export const FAULTS: readonly Fault[] = [...DEATHS, ...PAUSES, ...NETWORK, ...FOREIGN, ...TOPIC];
