import type { Messages } from "../i18n/i18n.ts";
import { minute } from "../time.ts";
import { between } from "./period.ts";

/** In words. */
export function periodName(period: string, text: Messages["alerts"]): string {
  const two = between(period);
  if (two) return text.between(minute(two[0], true), minute(two[1], true));
  const names: Record<string, string> = { "1h": text.lastHour, "12h": text.last12Hours, "24h": text.lastDay, "7d": text.lastWeek };
  return names[period] ?? text.always;
}
