// Times on an axis, as precise as its marks are far from each other.
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

export interface Axis {
  from: number;
  to: number;
}

/** Which parts of a mark's time are said, where marks are `step` apart: milliseconds all. */
export function tickOptions(step: number, { from, to }: Axis): Intl.DateTimeFormatOptions {
  const day: Intl.DateTimeFormatOptions = { month: "short", day: "numeric", ...(to - from >= YEAR_MS ? { year: "numeric" } : {}) };
  // Days are 23 hours long once a year.
  if (step >= DAY_MS - 3_600_000) return day;
  const clock: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60_000 ? { second: "2-digit" } : {}) };
  return to - from > 36 * 3_600_000 ? { ...day, ...clock } : clock;
}

export function ticks(locale: string, times: readonly number[], step: number, axis: Axis): string[] {
  const format = new Intl.DateTimeFormat(locale, tickOptions(step, axis));
  return times.map((time) => format.format(time));
}

/** The whole of a bar: 26 Nov, 14:00 – 14:10. */
export function barRange(locale: string, start: number, end: number): string {
  const long = end - start >= DAY_MS - 3_600_000;
  const options: Intl.DateTimeFormatOptions = long ? { year: "numeric", month: "short", day: "numeric" }
    : { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(end - start < 60_000 ? { second: "2-digit" } : {}) };
  // The day that a bar ends with is its last; an hour that it ends at is where the next begins.
  return new Intl.DateTimeFormat(locale, options).formatRange(start, long ? Math.max(end - 1, start) : end);
}
