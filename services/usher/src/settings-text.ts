// A queue's settings as the file spells them, for people to read.

import type { Settings } from "@usher/queue";
import { formatDuration } from "./config/duration.ts";

const rate = (thousandths: number): string => (thousandths === 0 ? "none" : String(thousandths / 1_000));
const room = (active: number): string => (active === 0 ? "none" : String(active));

/** Every setting's name in the file, and its value in words. */
const SETTINGS = {
  kind: ["kind", (settings) => settings.kind],
  mode: ["mode", (settings) => settings.mode],
  rate_thousandths: ["limit.rate_per_second", (settings) => rate(settings.rate_thousandths)],
  max_active: ["limit.max_active", (settings) => room(settings.max_active)],
  max_wait_ms: ["max_wait", (settings) => formatDuration(settings.max_wait_ms)],
  max_waiting: ["max_waiting", (settings) => String(settings.max_waiting)],
  session_ms: ["session", (settings) => formatDuration(settings.session_ms)],
  key_retention_ms: ["key_retention", (settings) => formatDuration(settings.key_retention_ms)],
  attempts: ["attempts", (settings) => String(settings.attempts)],
  notice: ["notice", (settings) => JSON.stringify(settings.notice)],
} as const satisfies Record<keyof Settings, readonly [string, (settings: Settings) => string]>;

export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function settingLabel(name: SettingName): string {
  return SETTINGS[name][0];
}

export function settingText(name: SettingName, settings: Settings): string {
  return SETTINGS[name][1](settings);
}
