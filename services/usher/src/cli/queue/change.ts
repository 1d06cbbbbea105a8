// `usher queue set`: flags to the settings that they change, and the mask that names them.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { UpdateQueueRequestSchema } from "@usher/protocol/admin";
import { QueueMode } from "@usher/protocol/queue";
import type { QueueMode as Mode } from "@usher/queue";

export interface SettingFlags {
  readonly mode?: Mode;
  /** Thousandths a second; 0: no limit of rate. */
  readonly rate?: number;
  /** 0: no limit of room. */
  readonly maxActive?: number;
  readonly maxWait?: number;
  readonly maxWaiting?: number;
  readonly session?: number;
  readonly keyRetention?: number;
  readonly attempts?: number;
  readonly notice?: string;
}

const MODES: Readonly<Record<Mode, QueueMode>> = {
  auto: QueueMode.AUTO,
  queue_all: QueueMode.QUEUE_ALL,
  paused: QueueMode.PAUSED,
  open: QueueMode.OPEN,
  closed: QueueMode.CLOSED,
};

type Change = Required<Pick<MessageInitShape<typeof UpdateQueueRequestSchema>, "settings" | "updateMask">>;

/** The part of an update that says what changes; undefined where nothing does. */
export function changeOf(flags: SettingFlags): Change | undefined {
  const { mode, rate, maxActive, maxWait, maxWaiting, session, keyRetention, attempts, notice } = flags;
  const duration = (ms: number | undefined) => (ms === undefined ? undefined : durationFromMs(ms));
  const named = {
    mode,
    "limit.rate_per_second": rate,
    "limit.max_active": maxActive,
    max_wait: maxWait,
    max_waiting: maxWaiting,
    session,
    key_retention: keyRetention,
    attempts,
    notice,
  };
  const paths = Object.entries(named).flatMap(([path, value]) => (value === undefined ? [] : [path]));
  if (paths.length === 0) return undefined;
  return {
    settings: {
      mode: mode === undefined ? undefined : MODES[mode],
      limit: { ratePerSecond: rate === undefined ? undefined : rate / 1_000, maxActive },
      maxWait: duration(maxWait),
      maxWaiting,
      session: duration(session),
      keyRetention: duration(keyRetention),
      attempts,
      notice,
    },
    updateMask: { paths },
  };
}
