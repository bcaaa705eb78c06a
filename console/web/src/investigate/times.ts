// Times of the search language, as far as a page has to reckon with them. What they mean exactly is for the console.
import { isTime, terms } from "../query/language.ts";

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const HOUR = 3_600_000;

/** `1h30m` in milliseconds; `undefined` for what is no such length. */
function length(text: string): number | undefined {
  if (!/^(\d+[smhdw])+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce((sum, [, value, unit]) => sum + Number(value) * (UNITS[unit ?? ""] ?? 0), 0);
}

/** How long ago the time begins, as far as its text tells it. */
function begins(time: string, now: number): number | undefined {
  const [, last] = /^(?:last|since):(\w+)$/.exec(time.split(" ")[0] ?? "") ?? [];
  const ago = last === undefined ? undefined : length(last);
  if (ago !== undefined) return ago;
  const around = /^around:(.+?)(?:(?:\/|±)(\w+))?$/.exec(time);
  const date = /\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?/.exec(time)?.[0];
  if (date === undefined) return undefined;
  const moment = Date.parse(/T.*(Z|[+-]\d{2}:\d{2})$/.test(date) || !date.includes("T") ? date : `${date}Z`);
  if (Number.isNaN(moment)) return undefined;
  return now - moment + (around ? (length(around[2] ?? "15m") ?? 0) : 0);
}

/** From how long ago to look for what was there before: at least so many days, and always so long before the time begins. */
export function newSince(time: string, days: number, now = Date.now()): string | undefined {
  if (time === "") return undefined;
  const ago = begins(time, now);
  const wanted = days * 24 * HOUR;
  // Of a time of day alone: today's or yesterday's.
  if (ago === undefined || ago < wanted - HOUR) return `${days}d`;
  return `${Math.ceil((ago + wanted) / HOUR)}h`;
}

/** The time up to a moment: from where it begins, if it can end elsewhere. */
export function upTo(time: string, moment: string): string {
  const until = `until:${moment}`;
  const [first] = terms(time).filter(isTime);
  if (!first) return until;
  if (first.key === "last") return `since:${first.value} ${until}`;
  if (first.key === "since") return `${first.text} ${until}`;
  const from = /^(.+)\.\./.exec(first.text)?.[1];
  return from ? `since:${from} ${until}` : until;
}

/** A moment in the language: what people type of one. */
export function isMoment(text: string): boolean {
  return /^(\d{1,2}:\d{2}(:\d{2})?|\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)$/i.test(text);
}
