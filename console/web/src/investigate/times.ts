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

/** A moment in the language: what the address holds. */
export function isMoment(text: string): boolean {
  return /^(\d{1,2}:\d{2}(:\d{2})?|\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)$/i.test(text);
}

/** What somebody typed in their zone, as a moment of the language: with its day, in UTC. A time of day alone is the latest of that time. */
export function momentOf(typed: string, now = new Date()): string | undefined {
  if (/(Z|[+-]\d{2}:\d{2})$/i.test(typed) && typed.includes("T")) return isMoment(typed) ? iso(new Date(typed)) : undefined;
  const found = /^(?:(\d{4})-(\d{2})-(\d{2})(?:[T ]|$))?(?:(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/.exec(typed);
  if (!found || typed === "") return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0"] = found;
  const at = year === undefined ? new Date(now) : new Date(Number(year), Number(month) - 1, Number(day));
  at.setHours(Number(hour), Number(minute), Number(second), 0);
  if (year === undefined && at > now) at.setDate(at.getDate() - 1);
  // The 31st of February and 25 o'clock are some other time: not what was typed.
  const same = at.getHours() === Number(hour) && at.getMinutes() === Number(minute) && (day === undefined || at.getDate() === Number(day));
  return same ? iso(at) : undefined;
}

/** A moment of the language as it is typed in the viewer's zone; one that says no zone, of an address that was written by hand, is UTC. */
export function typedOf(moment: string, now = new Date()): string {
  if (!isMoment(moment)) return moment;
  const day = moment.includes("-") ? moment : `${now.toISOString().slice(0, 10)}T${moment.padStart(5, "0")}`;
  const at = new Date(!day.includes("T") || /(Z|[+-]\d{2}:\d{2})$/i.test(day.slice(10)) ? day : `${day}Z`);
  if (Number.isNaN(at.getTime())) return moment;
  const two = (value: number) => String(value).padStart(2, "0");
  const seconds = at.getSeconds() === 0 ? "" : `:${two(at.getSeconds())}`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

/** The zone that the viewer's times are in. */
export function zone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function iso(at: Date): string | undefined {
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString().replace(".000", "");
}
