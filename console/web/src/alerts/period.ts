// Which times are looked at, as the address says it: `24h`, `7d`, `all`, or `<start>..<end>` in milliseconds since 1970.

export const PERIODS = ["1h", "12h", "24h", "7d", "all"] as const;
export const PERIOD = "24h";

const HOUR = 3_600_000;
const SPANS: Record<string, number> = { "1h": HOUR, "12h": 12 * HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR };
const STEPS = [["1m", 60_000], ["5m", 300_000], ["15m", 900_000], ["30m", 1_800_000], ["1h", HOUR], ["3h", 3 * HOUR], ["6h", 6 * HOUR], ["1d", 24 * HOUR]] as const;
/** Bars that a trend has at most. */
const BARS = 60;
const DAYS = { interval: "1d", step: 24 * HOUR };

export interface Range {
  start?: string;
  end?: string;
  /** How a trend of it is cut. */
  interval: string;
  /** The same in milliseconds. */
  step: number;
}

/** The moments, as they are now. */
export function rangeOf(period: string, now: number): Range {
  const two = between(period);
  if (two) return { start: iso(two[0]), end: iso(two[1] - 1), ...cut(two[1] - two[0]) };
  const span = SPANS[period];
  return span === undefined ? DAYS : { start: iso(now - span), ...cut(span) };
}

/** A range that was brushed; the end is not part of it. */
export function periodBetween(start: number, end: number): string {
  return `${Math.round(start)}..${Math.round(end)}`;
}

/** A range's start and its end, if it is one that was brushed. */
export function between(period: string): [number, number] | undefined {
  const found = /^(\d{1,15})\.\.(\d{1,15})$/.exec(period);
  const [start, end] = [Number(found?.[1]), Number(found?.[2])];
  return found && start < end ? [start, end] : undefined;
}

function cut(span: number): { interval: string; step: number } {
  const [interval, step] = STEPS.find(([, length]) => span / length <= BARS) ?? ["1d", 24 * HOUR];
  return { interval, step };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
