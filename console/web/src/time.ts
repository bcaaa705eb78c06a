// Times as people read them: in the viewer's zone, with UTC where they look closer.
import { localeTag } from "./i18n/i18n.ts";

// Making one takes far longer than using it.
const formats = new Map<string, Intl.DateTimeFormat>();
const relatives = new Map<string, Intl.RelativeTimeFormat>();

function format(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = `${localeTag()} ${key}`;
  let made = formats.get(id);
  if (!made) formats.set(id, (made = new Intl.DateTimeFormat(localeTag(), options)));
  return made;
}

/** 26 Nov 2026, 14:05:09 */
export function full(time: string | number | Date): string {
  return format("full", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" }).format(new Date(time));
}

/** 14:05:09.123 where it is of today, else with the day. */
export function brief(time: string, now = new Date()): string {
  const date = new Date(time);
  const clock = format("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
  if (date.toDateString() === now.toDateString()) return clock.format(date);
  return `${format("day", { month: "short", day: "numeric" }).format(date)} ${clock.format(date)}`;
}

/** 14:05, or with its day. */
export function minute(time: number | string, withDay = false): string {
  const options: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (withDay) Object.assign(options, { month: "short", day: "numeric" });
  return format(withDay ? "dayminute" : "minute", options).format(new Date(time));
}

/** 2026-11-26 14:05:09.123456 */
export function utc(time: string): string {
  return time.replace("T", " ").replace(/(\.\d*?)0*Z$/, "$1").replace(/\.?Z?$/, "");
}

/** How long ago, in words. */
export function ago(time: string, now = Date.now()): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const tag = localeTag();
  let relative = relatives.get(tag);
  if (!relative) relatives.set(tag, (relative = new Intl.RelativeTimeFormat(tag, { numeric: "auto" })));
  for (const [unit, length] of [["day", 86_400], ["hour", 3_600], ["minute", 60]] as const) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return relative.format(Math.round(seconds), "second");
}

/** 458 µs, 1.2 ms, 3.4 s, 2 min 5 s */
export function duration(micros: number): string {
  const one = (value: number, unit: string) => `${new Intl.NumberFormat(localeTag(), { maximumSignificantDigits: 3 }).format(value)} ${unit}`;
  if (micros < 1_000) return one(micros, "µs");
  if (micros < 1_000_000) return one(micros / 1_000, "ms");
  if (micros < 60_000_000) return one(micros / 1_000_000, "s");
  const seconds = Math.round(micros / 1_000_000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}
