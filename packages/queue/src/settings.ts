// What operators set on a queue, and the bounds within which it makes sense.

export type QueueKind = "defer" | "pass";
export type QueueMode = "auto" | "queue_all" | "paused" | "open" | "closed";

export interface Settings {
  readonly kind: QueueKind;
  readonly mode: QueueMode;
  /** Thousandths of a ticket a second; 0: no limit of rate. */
  readonly rate_thousandths: number;
  /** Active tickets at once; 0: no limit of room. */
  readonly max_active: number;
  /** How long a ticket may wait, in ms of log time; pauses do not count. */
  readonly max_wait_ms: number;
  /** How many tickets may wait and be remembered together; a further key of one counts like one. */
  readonly max_waiting: number;
  /** How long an admitted ticket without a stored request stays active, in ms of log time. */
  readonly session_ms: number;
  /** How long an ended ticket, its key, and a request id of Admit are remembered, in ms of log time. */
  readonly key_retention_ms: number;
  /** How often a stored request is tried before it is called failed. */
  readonly attempts: number;
  /** The operator's words to those who wait. */
  readonly notice: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** What a queue has where nothing is said. `max_wait_ms` has none: how long people may wait is the operator's word. */
export const SETTINGS_DEFAULTS = {
  mode: "auto",
  rate_thousandths: 0,
  max_active: 0,
  max_waiting: 1_000_000,
  session_ms: 10 * MINUTE,
  key_retention_ms: 15 * MINUTE,
  attempts: 5,
  notice: "",
} as const satisfies Partial<Settings>;

/** Least and most of every number, both included. Rate and room may also be 0, but not both. */
export const SETTINGS_BOUNDS = {
  rate_thousandths: [1, 1_000_000_000],
  max_active: [1, 1_000_000],
  max_wait_ms: [SECOND, 30 * DAY],
  max_waiting: [1, 20_000_000],
  session_ms: [SECOND, DAY],
  key_retention_ms: [SECOND, DAY],
  attempts: [1, 100],
} as const satisfies Partial<Record<keyof Settings, readonly [number, number]>>;

/** The longest notice, in characters. */
export const NOTICE_LENGTH_MAX = 500;

/** What would make words look like something else to those who read them on a terminal or a page: control characters,
 * ends of lines, what turns the direction of writing, and halves of characters. */
const UNFIT = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Whether an operator's words are plain text on one line, as a notice and a reason have to be that are given from now
 * on. The fold takes others, too, for old logs have them. */
export function isPlainLine(text: string): boolean {
  return !UNFIT.test(text);
}

/** What is wrong with the settings, in words that name the setting; nothing, if they can be used. */
export function settingsProblems(settings: Settings): string[] {
  const problems: string[] = [];
  if (settings.rate_thousandths === 0 && settings.max_active === 0) {
    problems.push("limit: neither rate_per_second nor max_active is set; a queue needs at least one");
  }
  for (const [name, [least, most]] of Object.entries(SETTINGS_BOUNDS)) {
    const value = settings[name as keyof typeof SETTINGS_BOUNDS];
    const unlimited = value === 0 && (name === "rate_thousandths" || name === "max_active");
    if (unlimited || (Number.isInteger(value) && value >= least && value <= most)) continue;
    problems.push(`${name}: ${value} is not a whole number from ${least} to ${most}`);
  }
  if (settings.notice.length > NOTICE_LENGTH_MAX) {
    problems.push(`notice: longer than ${NOTICE_LENGTH_MAX} characters`);
  }
  return problems;
}
