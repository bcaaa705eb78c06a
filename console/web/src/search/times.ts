// The time that a query is about, as far as the pages must know it: to draw an axis, to zoom out, to say it in words. What is found is for the
// console alone.
import type { Histogram } from "../api/client.ts";
import { isTime, terms, timeOf, withTerm } from "../query/language.ts";

/** What is asked for where a query says nothing of times. */
export const USUAL = "last:12h";

export interface Span {
  /** Milliseconds; the end exclusive. */
  start: number;
  end: number;
}

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SPOKEN = /(^|[\s(])[-!]?((last|since|until|around):|[0-9TZ:.+-]*\.\.[0-9TZ:.+-]*(?=$|[\s)]))/i;

/** Whether a query says something of times, wherever in it. */
export function saysTime(query: string): boolean {
  return SPOKEN.test(query.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '""'));
}

/** What is asked for a query as it was typed. */
export function asked(query: string): string {
  return saysTime(query) ? query.trim() : withTerm(query, USUAL);
}

/** Characters before the typed query in what is asked: places of errors are told in that. */
export function shift(query: string): number {
  const typed = query.trim();
  const at = asked(query).indexOf(typed);
  return query.indexOf(typed) - Math.max(at, 0);
}

/** `1h30m` in milliseconds. */
export function length(text: string): number | undefined {
  if (!/^(\d+[smhdw])+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce((sum, [, many, unit]) => sum + Number(many) * (UNITS[unit ?? ""] ?? 0), 0);
}

/** The span that a query is about, where it is written as these pages write it. */
export function spanOf(query: string, now: number): Span | undefined {
  const time = timeOf(query);
  const last = /^last:(\w+)$/.exec(time)?.[1];
  if (last) {
    const long = length(last);
    return long === undefined ? undefined : { start: now - long, end: now };
  }
  const range = /^since:(\S+)(?: until:(\S+))?$/.exec(time);
  if (range) {
    const start = moment(range[1] ?? "");
    const end = range[2] === undefined ? now : moment(range[2]);
    if (start === undefined || end === undefined || start >= end) return undefined;
    return { start, end: range[2] === undefined ? end : end + 1 };
  }
  const around = /^around:(\S+Z)(?:\/|±)(\w+)$/.exec(time);
  const middle = moment(around?.[1] ?? "");
  const half = length(around?.[2] ?? "");
  return middle === undefined || half === undefined ? undefined : { start: middle - half, end: middle + half };
}

/** The span that the console understood, where it says it: what ends it belongs to it. */
export function spanAsked(histogram: Pick<Histogram, "start" | "end"> | undefined, now: number): Span | undefined {
  if (!histogram?.start) return undefined;
  const start = Date.parse(histogram.start);
  const end = histogram.end ? Date.parse(histogram.end) + 1 : Math.max(now, start + 1);
  return start < end ? { start, end } : undefined;
}

/** Whether the time of a query moves on with the clock. */
export function saysNow(query: string): boolean {
  const time = timeOf(query);
  return !saysTime(query) || time === "" || /(^|\s)last:/i.test(time) || /^(since:\S+|\S+\.\.)$/i.test(time) || time.split(/\s+/).some((it) => length(it.replace(/^\w+:/, "")) !== undefined);
}

/** The terms of times whose moments say no zone: the console takes them for UTC. */
export function zoneless(query: string): string[] {
  return terms(query).filter((term) => isTime(term) && term.key !== "last" && momentsOf(term.value ?? "").some((it) => /^(\d{4}-\d\d-\d\d(T[\d:.]+)?|\d\d?:\d\d(:\d\d(\.\d+)?)?)$/i.test(it))).map((term) => term.text);
}

function momentsOf(value: string): string[] {
  return value.split(/\.\.|\/|±/);
}

function moment(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\S+(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

const STEPS = [
  [1_000, "1s"], [5_000, "5s"], [15_000, "15s"], [30_000, "30s"], [60_000, "1m"], [120_000, "2m"], [300_000, "5m"], [600_000, "10m"], [900_000, "15m"], [1_800_000, "30m"],
  [3_600_000, "1h"], [7_200_000, "2h"], [10_800_000, "3h"], [21_600_000, "6h"], [43_200_000, "12h"], [86_400_000, "1d"], [604_800_000, "7d"],
] as const;
const BARS = 80;

/** An interval that makes as many bars of a span as can be told apart; none where the span is not known: the console chooses. */
export function interval(span: Span | undefined): { ms: number; text: string } | undefined {
  if (!span) return undefined;
  const [ms, text] = STEPS.find(([step]) => (span.end - span.start) / step <= BARS) ?? [604_800_000, "7d"];
  return { ms, text };
}

/** Twice as long, about the same middle, and not into the future. */
export function wider({ start, end }: Span, now: number): Span {
  const half = (end - start) / 2;
  const until = Math.min(end + half, Math.max(now, end));
  return { start: Math.floor(until - 4 * half), end: Math.ceil(until) };
}

/** The midnight before a moment, in the viewer's zone. */
export function midnight(now: number): number {
  return new Date(now).setHours(0, 0, 0, 0);
}
